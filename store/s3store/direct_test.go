package s3store

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/store"
)

// sent is a request as it gets to the wire.
type sent struct {
	Method, URL, Body string
	Length            int64
	Header            http.Header
}

// recorder answers nothing of use and keeps what it is sent.
type recorder struct{ all []sent }

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	s := sent{Method: req.Method, URL: req.URL.String(), Length: req.ContentLength, Header: req.Header}
	if req.Body != nil {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		s.Body = string(body)
	}
	r.all = append(r.all, s)
	return &http.Response{StatusCode: http.StatusNoContent, Header: http.Header{}, Body: http.NoBody}, nil
}

// plainly sends requests of all kinds; how they end does not matter.
func plainly(ctx context.Context, s *Store) {
	const key = "public/a b/ü+c%20//x?y=z#~.txt"
	body := func() *io.SectionReader { return io.NewSectionReader(strings.NewReader("some bytes"), 0, 10) }
	headers := store.Headers{ContentType: "text/plain", CacheControl: "no-cache", Expires: "-1", Metadata: map[string]string{"mode": "33188", "a-b": " x  y "}}
	_, _ = s.Put(ctx, key, body(), headers, store.Cond{IfNoneMatch: true})
	_, _ = s.Put(store.WithCRC32(ctx, 7), key, body(), headers, store.Cond{IfMatch: `"e"`})
	_, _ = s.Put(ctx, key, io.NewSectionReader(strings.NewReader(""), 0, 0), headers, store.Cond{})
	for _, r := range []store.Range{store.All, {Off: 5, Len: 10}, {Part: 2}} {
		if b, _, err := s.Get(ctx, key, r, store.Cond{IfMatch: `"e"`}); err == nil {
			_ = b.Close()
		}
	}
	_, _ = s.Head(ctx, "plain", store.Cond{})
	for _, err := range s.List(ctx, "public/ü /", store.ListOptions{Delimiter: "/", StartAfter: "public/ü /+", PageSize: 7}) {
		_ = err
	}
	_, _ = s.Copy(ctx, store.CopyRequest{Source: key, Target: "other/", SourceETag: `"e"`, Headers: &headers})
	_ = s.Delete(ctx, key, store.Cond{IfMatch: `"e"`})
	_, _ = s.DeleteMany(ctx, []string{key, "b"})
	_, _ = s.Create(ctx, key, headers)
	_, _ = s.UploadPart(store.WithCRC32(ctx, 7), key, "id/+=", 3, body())
	_, _ = s.UploadPart(ctx, key, "id/+=", 3, body())
	_, _ = s.CopyPart(ctx, key, "id", 1, "src", `"e"`, store.Range{Off: 1, Len: 4})
	_, _ = s.Complete(ctx, key, "id", []store.Part{{Number: 1, ETag: `"e"`}}, store.Cond{IfMatch: `"e"`})
	_ = s.Abort(ctx, key, "id")
}

// TestWhatIsSentIsWhatTheSDKSends: what is left out and taken over of the SDK's steps changes nothing on the wire, down to the signature,
// but the two headers that are meant to go.
func TestWhatIsSentIsWhatTheSDKSends(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg    Config
		direct bool
	}{
		"loopback":            {Config{Endpoint: "http://127.0.0.1:9000", PathStyle: true}, true},
		"socket":              {Config{Endpoint: "unix:///s3.sock"}, true},
		"network":             {Config{Endpoint: "http://nas.example:9000", PathStyle: true}, true},
		"below a path":        {Config{Endpoint: "https://example.com/s3 base/", PathStyle: true}, true},
		"required checksums":  {Config{Endpoint: "https://example.com", PathStyle: true, Checksums: ChecksumsRequired}, true},
		"amazon":              {Config{Region: "eu-west-1"}, true},
		"amazon, path":        {Config{Region: "eu-west-1", PathStyle: true}, true},
		"dotted":              {Config{Region: "us-east-1", Bucket: "a.dotted.bucket"}, true},
		"access point":        {Config{Region: "eu-west-1", Bucket: "arn:aws:s3:eu-west-1:123456789012:accesspoint/name"}, true},
		"several regions":     {Config{Region: "eu-west-1", Bucket: "arn:aws:s3::123456789012:accesspoint/name.mrap"}, false},
		"outpost":             {Config{Region: "us-west-2", Bucket: "arn:aws:s3-outposts:us-west-2:123456789012:outpost/op-1/accesspoint/name"}, false},
		"temporary key":       {Config{Region: "eu-west-1", Credentials: Static("AKIDTEMP", "secret", "token")}, true},
		"object lambda":       {Config{Region: "us-west-2", Bucket: "arn:aws:s3-object-lambda:us-west-2:123456789012:accesspoint/name"}, true},
		"loopback, temporary": {Config{Endpoint: "http://localhost:1", PathStyle: true, Credentials: Static("AKIDTEMP", "secret", "token")}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { // where the time of the signatures is the same
				compareSent(t, c.cfg, c.direct)
			})
		})
	}
}

func compareSent(t *testing.T, cfg Config, direct bool) {
	t.Helper()
	send := func(change func(*Store)) (*Store, []sent) {
		wire := &recorder{}
		c := cfg
		c.Transport = wire
		if c.Bucket == "" {
			c.Bucket = "bucket"
		}
		if c.Credentials == nil {
			c.Credentials = Static("AKIDEXAMPLE", "secret", "")
		}
		s, err := New(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		change(s)
		_, _ = s.Head(t.Context(), "first", store.Cond{})
		plainly(t.Context(), s)
		return s, wire.all
	}
	s, got := send(func(*Store) {})
	if is := s.endpoints.plain.Load() != nil; is != direct {
		t.Errorf("the address is known: %v, want %v", is, direct)
	}
	_, slow := send(func(s *Store) { s.endpoints.kinds = 1 }) // as if the rules had said something else before
	if !direct {                                              // both by the SDK, and some of its signatures have random bytes
		without(got, "Authorization")
		without(slow, "Authorization")
	}
	if diff := cmp.Diff(slow, got); diff != "" {
		t.Errorf("signed by the SDK's steps (-) and here (+):\n%s", diff)
	}
	_, whole := send(func(s *Store) {
		s.client = s3.New(s.client.Options(), func(o *s3.Options) { o.APIOptions = nil })
	})
	gone := []string{"Authorization"} // which is of the headers that are compared
	if parsed, err := parseEndpoint(cfg.Endpoint); err == nil && parsed.loopback {
		gone = append(gone, "X-Amz-Content-Sha256") // meant to differ: see unsignedPayload
	}
	without(got, gone...)
	without(whole, gone...)
	for i := range whole {
		h := whole[i].Header
		if len(h["Amz-Sdk-Invocation-Id"]) != 1 || len(h["Amz-Sdk-Request"]) != 1 {
			t.Errorf("the SDK does not send what is taken away: %v", h)
		}
	}
	without(whole, "Amz-Sdk-Invocation-Id", "Amz-Sdk-Request")
	if diff := cmp.Diff(whole, got); diff != "" {
		t.Errorf("sent by the SDK's own steps alone (-) and here (+):\n%s", diff)
	}
}

func without(all []sent, names ...string) {
	for _, s := range all {
		for _, name := range names {
			s.Header.Del(name)
		}
	}
}

// TestOneAddress: what the rules say is used without the SDK's steps as long as they say one thing, that an address can hold.
func TestOneAddress(t *testing.T) {
	t.Parallel()
	ask := func(r *resolved, bucket string) *address {
		t.Helper()
		no := false
		region := "us-east-1"
		if _, err := r.ResolveEndpoint(t.Context(), s3.EndpointParameters{
			Bucket: &bucket, Region: &region, UseFIPS: &no, UseDualStack: &no, ForcePathStyle: &no, Accelerate: &no, UseGlobalEndpoint: &no,
			DisableMultiRegionAccessPoints: &no,
		}); err != nil {
			t.Fatal(err)
		}
		return r.plain.Load()
	}
	rules := s3.NewDefaultEndpointResolverV2()
	if a := ask(&resolved{rules: rules}, "bucket--use1-az4--x-s3"); a != nil {
		t.Errorf("a directory bucket, whose requests have a session: %+v", a)
	}
	r := &resolved{rules: rules}
	for range 2 {
		if a := ask(r, "one"); a == nil || a.name != "s3" || a.region != "us-east-1" || !a.asSent || a.uri.Host != "one.s3.us-east-1.amazonaws.com" {
			t.Errorf("%+v", a)
		}
	}
	for _, bucket := range []string{"other", "one"} {
		if a := ask(r, bucket); a != nil {
			t.Errorf("after two answers of the rules: %+v", a)
		}
	}
}
