package s3store_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/s3store"
)

// TestPresign: the URL has the key's bytes, the answer's headers, the time, and no secret; it is there without a request.
func TestPresign(t *testing.T) {
	f := newFake(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "body") })
	s := open(t, f.URL)
	got, err := s.Presign(t.Context(), s3store.PresignRequest{
		Key: "public/a b/ü+c%20//x", Expires: time.Minute,
		Response: s3store.ResponseHeaders{ContentDisposition: `attachment; filename="x y"`, ContentType: "text/x", Expires: "Sun, 06 Nov 1994 08:49:37 GMT"},
	})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(got.URL)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if u.EscapedPath() != "/bucket/public/a%20b/%C3%BC%2Bc%2520//x" || q.Get("X-Amz-Expires") != "60" || got.Method != http.MethodGet || got.Capped ||
		q.Get("response-content-disposition") != `attachment; filename="x y"` || q.Get("response-content-type") != "text/x" || q.Get("response-expires") == "" {
		t.Errorf("%s: %v", u.EscapedPath(), q)
	}
	if strings.Contains(got.URL, secret) || strings.Contains(got.String(), "http") {
		t.Error("told too much")
	}
	if n := len(f.requests()); n != 0 {
		t.Errorf("%d requests", n)
	}
	put, err := s.Presign(t.Context(), s3store.PresignRequest{Key: "k", Put: true, ContentType: "image/png", Expires: time.Hour})
	if err != nil || put.Method != http.MethodPut || put.Headers.Get("Content-Type") != "image/png" || len(put.Headers) != 1 || strings.Contains(strings.ToLower(put.URL), "checksum") {
		t.Errorf("%+v, %v", put.Headers, err)
	}
}

// TestPresignAfterARequest: the shorter steps of later requests are none of the URL's.
func TestPresignAfterARequest(t *testing.T) {
	f := newFake(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("ETag", `"e"`) })
	s := open(t, f.URL)
	for range 2 {
		if _, err := s.Head(t.Context(), "k", store.Cond{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Presign(t.Context(), s3store.PresignRequest{Key: "k", Expires: time.Minute}); err != nil {
		t.Error(err)
	}
}

// TestPresignEndsWithTheCredentials: they cap the time; nobody gets a URL of those that have expired, or for more than 7 days.
func TestPresignEndsWithTheCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		until := time.Now().Add(time.Hour)
		s, err := s3store.New(t.Context(), s3store.Config{
			Bucket: "bucket", Region: "us-east-1",
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b", SessionToken: "c", CanExpire: true, Expires: until}, nil
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		for _, c := range []struct {
			ask, want time.Duration
			capped    bool
			kind      error
		}{
			{time.Minute, time.Minute, false, nil},
			{8 * time.Hour, time.Hour, true, nil},
			{s3store.MaxPresign + time.Second, 0, false, store.ErrInvalid},
			{0, 0, false, store.ErrInvalid},
		} {
			got, err := s.Presign(t.Context(), s3store.PresignRequest{Key: "k", Expires: c.ask})
			if !errors.Is(err, c.kind) || (err == nil && (got.Capped != c.capped || time.Until(got.Expires) != c.want)) {
				t.Errorf("%v: %v, %v", c.ask, got, err)
			}
		}
		time.Sleep(2 * time.Hour)
		if _, err := s.Presign(t.Context(), s3store.PresignRequest{Key: "k", Expires: time.Minute}); !errors.Is(err, store.ErrExpired) {
			t.Errorf("expired credentials: %v", err)
		}
	})
}

// TestPresignGet: what a mount's attribute tells is a URL that is got without credentials, as everything it is asked by knows it.
func TestPresignGet(t *testing.T) {
	f := newFake(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) })
	var s store.Presigner = open(t, f.URL)
	got, err := s.PresignGet(t.Context(), "public/a b", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(got)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "/bucket/public/a b" || !strings.Contains(got, "X-Amz-Expires=60") {
		t.Errorf("%s: %q, %v", got, body, err)
	}
	if _, err := s.PresignGet(t.Context(), "k", 0); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("for no time: %v", err)
	}
}
