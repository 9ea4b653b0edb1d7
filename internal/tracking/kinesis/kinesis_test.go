package kinesis_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/s3levelfs/s3levelfs/internal/tracking"
	"github.com/s3levelfs/s3levelfs/internal/tracking/kinesis"
)

const (
	secret = "verysecretkeyverysecretkey"
	arn    = "arn:aws:kinesis:eu-central-1:123456789012:stream/storage"
)

// request is what PutRecords sends, in JSON 1.1.
type request struct {
	StreamName, StreamARN string
	Records               []struct {
		Data         []byte
		PartitionKey string
	}
}

// fake answers PutRecords by a rule.
type fake struct {
	t      *testing.T
	answer func(call int, r request) (status int, doc string)

	mu    sync.Mutex
	calls []request
	auth  string
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if target := r.Header.Get("X-Amz-Target"); target != "Kinesis_20131202.PutRecords" {
		f.t.Errorf("asked for %s", target)
	}
	var in request
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		f.t.Error(err)
	}
	f.mu.Lock()
	f.calls, f.auth = append(f.calls, in), r.Header.Get("Authorization")
	call := len(f.calls)
	f.mu.Unlock()
	status, doc := f.answer(call, in)
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(doc))
}

// results is an answer with the codes of records that failed; "" = taken.
func results(codes ...string) (int, string) {
	failed, entries := 0, make([]string, len(codes))
	for i, c := range codes {
		entries[i] = `{"SequenceNumber":"1","ShardId":"shardId-000000000000"}`
		if c != "" {
			failed++
			entries[i] = fmt.Sprintf(`{"ErrorCode":%q,"ErrorMessage":"Rate exceeded for shard in account 123456789012"}`, c)
		}
	}
	return http.StatusOK, fmt.Sprintf(`{"FailedRecordCount":%d,"Records":[%s]}`, failed, strings.Join(entries, ","))
}

func open(t *testing.T, stream string, answer func(int, request) (int, string)) (tracking.Sink, *fake) {
	t.Helper()
	f := &fake{t: t, answer: answer}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL_KINESIS", server.URL)
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
	s, err := kinesis.New(t.Context(), kinesis.Config{
		Stream: stream, Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", secret, ""),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, f
}

func batch(n int) []tracking.Event {
	out := make([]tracking.Event, n)
	for i := range out {
		out[i] = tracking.Download(int64(i), nil)
	}
	return out
}

func TestRecords(t *testing.T) {
	for stream, region := range map[string]string{"storage": "us-east-1", arn: "eu-central-1"} {
		s, f := open(t, stream, func(int, request) (int, string) { return results("", "", "") })
		if o := s.Send(t.Context(), batch(3)); o.Err != nil || len(o.Again)+o.Refused != 0 {
			t.Errorf("%+v", o)
		}
		r := f.calls[0]
		if r.StreamName+r.StreamARN != stream || !strings.Contains(f.auth, "/"+region+"/kinesis/") {
			t.Errorf("sent to %q, %q, signed %s", r.StreamName, r.StreamARN, f.auth)
		}
		keys := map[string]bool{}
		for i, rec := range r.Records {
			keys[rec.PartitionKey] = true
			if !strings.HasPrefix(string(rec.Data), fmt.Sprintf(`{"name":"Storage","attributes":{"method":"get","result":"success"},"metrics":{"fileSize":%d},"timestamp":"`, i)) {
				t.Errorf("%s", rec.Data)
			}
		}
		if len(keys) != 3 {
			t.Errorf("%d partition keys for 3 records", len(keys))
		}
	}
}

// Records that are refused for the moment come again, those alone and as they were.
func TestPartialFailures(t *testing.T) {
	s, _ := open(t, "storage", func(int, request) (int, string) {
		return results("", "ProvisionedThroughputExceededException", "", "InternalFailure", "Malformed")
	})
	in := batch(5)
	o := s.Send(t.Context(), in)
	if len(o.Again) != 2 || o.Again[0] != in[1] || o.Again[1] != in[3] || o.Refused != 1 || o.Err == nil {
		t.Errorf("%+v", o)
	}
}

// A whole request that is refused is sent again where that may help, and by nobody but the recorder.
func TestRefusedRequests(t *testing.T) {
	for _, c := range []struct {
		status int
		code   string
		again  bool
	}{
		{400, "ProvisionedThroughputExceededException", true},
		{400, "ThrottlingException", true},
		{400, "KMSThrottlingException", true},
		{500, "InternalFailure", true},
		{503, "ServiceUnavailable", true},
		{400, "ExpiredTokenException", true},
		{400, "ResourceNotFoundException", false},
		{400, "AccessDeniedException", false},
		{400, "ValidationException", false},
	} {
		s, f := open(t, "storage", func(int, request) (int, string) {
			return c.status, fmt.Sprintf(`{"__type":%q,"message":"why"}`, c.code)
		})
		o := s.Send(t.Context(), batch(4))
		if (len(o.Again) == 4) != c.again || (o.Refused == 4) == c.again || o.Err == nil || !strings.Contains(o.Err.Error(), c.code) {
			t.Errorf("%s: %+v", c.code, o)
		}
		if len(f.calls) != 1 {
			t.Errorf("%s: %d requests", c.code, len(f.calls))
		}
	}
}

// What stands in front of the service answers without a code: its status says that it passes.
func TestOutageWithoutACode(t *testing.T) {
	for status, again := range map[int]bool{503: true, 502: true, 429: true, 413: false} {
		s, _ := open(t, "storage", func(int, request) (int, string) { return status, "" })
		if o := s.Send(t.Context(), batch(2)); (len(o.Again) == 2) != again || (o.Refused == 2) == again || o.Err == nil {
			t.Errorf("%d: %+v", status, o)
		}
	}
}

// Without an answer, and without credentials, all is sent again; errors show no secret, and are one line.
func TestNoAnswer(t *testing.T) {
	s, _ := open(t, "storage", func(int, request) (int, string) { panic(http.ErrAbortHandler) })
	o := s.Send(t.Context(), batch(2))
	if len(o.Again) != 2 || o.Err == nil || strings.Contains(o.Err.Error(), secret) || strings.Contains(o.Err.Error(), "\n") {
		t.Errorf("%+v", o)
	}
	s, err := kinesis.New(t.Context(), kinesis.Config{
		Stream: "storage", Region: "us-east-1",
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, fmt.Errorf("no login") }),
	})
	if err != nil {
		t.Fatal(err)
	}
	if o := s.Send(t.Context(), batch(2)); len(o.Again) != 2 || o.Err == nil || !strings.Contains(o.Err.Error(), "no login") {
		t.Errorf("%+v", o)
	}
}

// An answer that does not fit is none: nobody knows which records were taken.
func TestAnswerThatDoesNotFit(t *testing.T) {
	s, _ := open(t, "storage", func(int, request) (int, string) { return results("") })
	if o := s.Send(t.Context(), batch(2)); o.Refused != 2 || o.Err == nil {
		t.Errorf("%+v", o)
	}
}

func TestRegionIsNeeded(t *testing.T) {
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	if _, err := kinesis.New(t.Context(), kinesis.Config{Stream: "storage"}); err == nil || !strings.Contains(err.Error(), "--region") {
		t.Error(err)
	}
	if _, err := kinesis.New(t.Context(), kinesis.Config{Stream: arn}); err != nil {
		t.Error(err)
	}
}
