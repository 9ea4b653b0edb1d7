package s3store_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/s3store"
)

func TestConfigErrors(t *testing.T) {
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_DEFAULT_REGION", "")
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "none"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(t.TempDir(), "none"))
	for want, cfg := range map[string]s3store.Config{
		"no bucket":    {},
		"max attempts": {Bucket: "b", MaxAttempts: -1},
		"checksums":    {Bucket: "b", Checksums: "md5"},
		"endpoint":     {Bucket: "b", Endpoint: "localhost:9000"},
		"http://HOST":  {Bucket: "b", Endpoint: "ftp://x"},
		"region":       {Bucket: "b"},
		"profile":      {Bucket: "b", Region: "eu-west-1", Profile: "nosuch"},
	} {
		if s, err := s3store.New(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%+v: %v, %v, want %q", cfg, s, err, want)
		}
	}
}

// TestProvider: the registered provider takes credentials from the AWS chain.
func TestProvider(t *testing.T) {
	f := newFake(t, serveContent)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
	t.Setenv("AWS_SECRET_ACCESS_KEY", secret)
	t.Setenv("AWS_SESSION_TOKEN", "token")
	s, err := store.Open(t.Context(), "s3", store.Options{Bucket: "b", Endpoint: f.URL, PathStyle: true, Region: "eu-west-1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Head(t.Context(), "a b/ü+c", store.Cond{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if n := len(f.requests()); n != 1 {
		t.Fatalf("%d requests: opening must not ask anything", n)
	}
	r := f.requests()[0]
	if auth := r.Header.Get("Authorization"); !strings.Contains(auth, "AKIDENV/") || !strings.Contains(auth, "/eu-west-1/s3/") {
		t.Errorf("signed by %q", auth)
	}
	if r.Header.Get("X-Amz-Security-Token") != "token" || r.URL.Path != "/b/a b/ü+c" {
		t.Errorf("%v %v", r.URL, r.Header)
	}
}

// TestEmptyChain: a chain without credentials is told as such, by the first call.
func TestEmptyChain(t *testing.T) {
	for _, name := range []string{
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE",
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
	} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "none"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(t.TempDir(), "none"))
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	f := newFake(t, serveContent)
	s := open(t, f.URL, func(c *s3store.Config) { c.Credentials = nil })
	_, err := s.Put(t.Context(), "k", section("x"), store.Headers{}, store.Cond{})
	if !errors.Is(err, store.ErrCredentials) || store.Unanswered(err) || len(f.requests()) != 0 || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v in %d requests", err, len(f.requests()))
	}
}

// TestUnixSocket: an endpoint may be a socket, whatever the environment says of proxies.
func TestUnixSocket(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	path := filepath.Join(t.TempDir(), "s3.sock")
	ln, err := new(net.ListenConfig).Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(serveContent))
	_ = server.Listener.Close()
	server.Listener = ln
	server.Start()
	defer server.Close()
	s := open(t, "unix://"+path)
	body, _, err := s.Get(t.Context(), "k", store.All, store.Cond{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = body.Close() }()
	if got, err := io.ReadAll(body); err != nil || string(got) != content {
		t.Errorf("%q, %v", got, err)
	}
}

// TestReuse: one after another, calls use one connection. net/http gives up one whose writer has not reported the end of a request within
// 50 ms: on a busy machine there may be a second, not one for each call.
func TestReuse(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	conns := 0
	f := httptest.NewUnstartedServer(http.HandlerFunc(serveContent))
	f.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			mu.Lock()
			conns++
			mu.Unlock()
		}
	}
	f.Start()
	defer f.Close()
	s := open(t, f.URL)
	for i := range 20 {
		body, _, err := s.Get(t.Context(), "k", store.Range{Off: int64(i % 5), Len: 3}, store.Cond{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(body, make([]byte, 3)); err != nil { // not to EOF
			t.Fatal(err)
		}
		_ = body.Close()
		if _, err := s.Head(t.Context(), "k", store.Cond{}); err != nil {
			t.Fatal(err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if conns > 3 {
		t.Errorf("%d connections for 40 calls", conns)
	}
}

// TestObserve: every call is told once, with its bytes and its error.
func TestObserve(t *testing.T) {
	t.Parallel()
	type event struct {
		Op    string
		Bytes int64
		Bad   bool
	}
	var got []event
	f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			refuse(w, 403, "AccessDenied")
			return
		}
		if r.Method == http.MethodGet {
			serveContent(w, r)
		}
	})
	s := open(t, f.URL, func(c *s3store.Config) {
		c.Observe = func(op string, d time.Duration, n int64, err error) {
			if d <= 0 {
				t.Errorf("%s took %v", op, d)
			}
			got = append(got, event{op, n, err != nil})
		}
	})
	if _, err := s.Put(t.Context(), "k", section("body"), store.Headers{}, store.Cond{}); err != nil {
		t.Fatal(err)
	}
	body, _, err := s.Get(t.Context(), "k", store.Range{Len: 6}, store.Cond{})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.ReadFull(body, make([]byte, 4))
	_ = body.Close()
	_ = body.Close()
	if err := s.Delete(t.Context(), "k", store.Cond{}); !errors.Is(err, store.ErrPermission) {
		t.Error(err)
	}
	want := []event{{"put", 4, false}, {"get", 4, false}, {"delete", 0, true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
