package s3store_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/s3store"
)

const (
	customer = "X-Amz-Server-Side-Encryption-Customer-"
	source   = "X-Amz-Copy-Source-Server-Side-Encryption-Customer-"
)

// vault answers as S3 does for objects whose names say how they are encrypted: those that begin with "secret" by a key of the customer.
func vault(w http.ResponseWriter, r *http.Request) {
	refused := func(name string, prefix string) bool {
		return strings.HasPrefix(name, "secret") != (r.Header.Get(prefix+"Key") != "")
	}
	name := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	from := r.Header.Get("X-Amz-Copy-Source")
	switch {
	case from != "" && refused(from[strings.LastIndexByte(from, '/')+1:], source),
		(r.Method == http.MethodGet || r.Method == http.MethodHead) && refused(name, customer):
		w.WriteHeader(http.StatusBadRequest)
		if r.Method != http.MethodHead {
			_, _ = io.WriteString(w, "<Error><Code>InvalidRequest</Code><Message>The object was stored using a form of Server Side Encryption. "+
				"The correct parameters must be provided to retrieve the object.</Message></Error>")
		}
	case r.Method == http.MethodGet:
		w.Header().Set("Etag", `"e"`)
		_, _ = io.WriteString(w, "x")
	default:
		if algorithm := r.Header.Get(customer + "Algorithm"); algorithm != "" {
			w.Header().Set(customer+"Algorithm", algorithm)
		}
		answerWrites(w, r)
	}
}

// TestServerWithoutCustomerKeys: a server that ignores the key is found out by its answers, whatever is written, with the reason and the mend.
func TestServerWithoutCustomerKeys(t *testing.T) {
	t.Parallel()
	var key string
	s := open(t, newFake(t, answerWrites).URL, func(c *s3store.Config) { key = withKey(t, c) })
	ctx := t.Context()
	for name, write := range map[string]func() error{
		"put":    func() error { _, err := s.Put(ctx, "k", section("x"), store.Headers{}, store.Cond{}); return err },
		"create": func() error { _, err := s.Create(ctx, "k", store.Headers{}); return err },
		"part":   func() error { _, err := s.UploadPart(ctx, "k", "id", 1, section("x")); return err },
		"copy": func() error {
			_, err := s.Copy(ctx, store.CopyRequest{Source: "a", Target: "k", Headers: &store.Headers{}})
			return err
		},
		"copy part": func() error { _, err := s.CopyPart(ctx, "k", "id", 1, "a", "", store.All); return err },
	} {
		err := write()
		if !errors.Is(err, store.ErrPermission) || !strings.Contains(err.Error(), "does not know SSE-C") || strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.Delete(ctx, "k", store.Cond{}); err != nil {
		t.Error(err)
	}
}

func withKey(t *testing.T, c *s3store.Config) string {
	t.Helper()
	k, err := store.ParseCustomerKey([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	c.CustomerKey = k
	key, _ := k.Headers()
	return key
}

// TestCustomerKeyOnEachRequest: the key goes with what is written, read and copied, source and target, and with nothing else; an object that is
// not encrypted by it is read without, after one request to find that out.
func TestCustomerKeyOnEachRequest(t *testing.T) {
	t.Parallel()
	var key string
	f := newFake(t, vault)
	s := open(t, f.URL, func(c *s3store.Config) { key = withKey(t, c) })
	ctx, kms := t.Context(), store.Headers{SSE: "aws:kms", SSEKMSKeyID: "arn:k", BucketKey: true}
	get := func(name string) error {
		body, _, err := s.Get(ctx, name, store.All, store.Cond{})
		if err != nil {
			return err
		}
		return body.Close()
	}
	for _, c := range []struct {
		name           string
		send           func() error
		requests       int
		target, source bool // of the last request
	}{
		{"put", func() error { _, err := s.Put(ctx, "secret", section("x"), kms, store.Cond{}); return err }, 1, true, false},
		{"create", func() error { _, err := s.Create(ctx, "secret", kms); return err }, 1, true, false},
		{"part", func() error { _, err := s.UploadPart(ctx, "secret", "id", 1, section("x")); return err }, 1, true, false},
		{"complete", func() error {
			_, err := s.Complete(ctx, "secret", "id", []store.Part{{Number: 1, ETag: "e"}}, store.Cond{})
			return err
		}, 1, false, false},
		{"head", func() error { _, err := s.Head(ctx, "secret", store.Cond{}); return err }, 1, true, false},
		{"get", func() error { return get("secret") }, 1, true, false},
		{"copy", func() error {
			_, err := s.Copy(ctx, store.CopyRequest{Source: "secret", Target: "secret2", Headers: &kms})
			return err
		}, 1, true, true},
		{"copy part", func() error { _, err := s.CopyPart(ctx, "secret2", "id", 1, "secret", "", store.All); return err }, 1, true, true},
		{"copy of a plain one", func() error {
			_, err := s.Copy(ctx, store.CopyRequest{Source: "plain", Target: "secret2", Known: &store.Headers{}})
			return err
		}, 2, true, false},
		{"get of it", func() error { return get("plain") }, 1, false, false},
		{"get of another plain one", func() error { return get("plain2") }, 2, false, false},
		{"delete", func() error { return s.Delete(ctx, "secret", store.Cond{}) }, 1, false, false},
	} {
		before := len(f.requests())
		if err := c.send(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		seen := f.requests()[before:]
		if len(seen) != c.requests {
			t.Fatalf("%s: %d requests, want %d", c.name, len(seen), c.requests)
		}
		h := seen[len(seen)-1].Header
		for prefix, want := range map[string]bool{customer: c.target, source: c.source} {
			if got := h.Get(prefix+"Key") == key && h.Get(prefix+"Algorithm") == "AES256" && len(h.Get(prefix+"Key-Md5")) == 24; got != want {
				t.Errorf("%s: %s: %v, want %v: %v", c.name, prefix, got, want, h)
			}
		}
		if h.Get("X-Amz-Server-Side-Encryption") != "" || h.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id") != "" {
			t.Errorf("%s: two encryptions", c.name)
		}
		if strings.Contains(seen[0].URL.String(), key) {
			t.Errorf("%s: the key is in the URL", c.name)
		}
	}
}

// TestWithoutTheCustomerKey: an object of SSE-C is refused as for want of a right, and the error says which option is missing; where a bucket blocks
// SSE-C the error says that. None tells the key.
func TestWithoutTheCustomerKey(t *testing.T) {
	t.Parallel()
	s := open(t, newFake(t, vault).URL)
	_, headErr := s.Head(t.Context(), "secret", store.Cond{})
	_, _, getErr := s.Get(t.Context(), "secret", store.All, store.Cond{})
	_, copyErr := s.Copy(t.Context(), store.CopyRequest{Source: "secret", Target: "k", Headers: &store.Headers{}})
	for name, err := range map[string]error{"head": headErr, "get": getErr, "copy": copyErr} {
		if !errors.Is(err, store.ErrPermission) || !strings.Contains(err.Error(), "--sse-c-key-file") {
			t.Errorf("%s: %v", name, err)
		}
	}
	var key string
	blocked := open(t, newFake(t, func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusForbidden, "AccessDenied") }).URL,
		func(c *s3store.Config) { key = withKey(t, c) })
	_, err := blocked.Put(t.Context(), "k", section("x"), store.Headers{}, store.Cond{})
	if !errors.Is(err, store.ErrPermission) || !strings.Contains(err.Error(), "PutBucketEncryption") || strings.Contains(err.Error(), key) {
		t.Error(err)
	}
}

// TestPayerAndOwner: each request says who pays and whose bucket is expected, where that is set.
func TestPayerAndOwner(t *testing.T) {
	t.Parallel()
	for _, on := range []bool{false, true} {
		f := newFake(t, answerWrites)
		want := map[string]string{"X-Amz-Request-Payer": "", "X-Amz-Expected-Bucket-Owner": ""}
		s := open(t, f.URL, func(c *s3store.Config) {
			if on {
				c.RequestPayer, c.BucketOwner = true, "123456789012"
				want = map[string]string{"X-Amz-Request-Payer": "requester", "X-Amz-Expected-Bucket-Owner": "123456789012"}
			}
		})
		_, _ = s.Head(t.Context(), "k", store.Cond{})
		if body, _, err := s.Get(t.Context(), "k", store.All, store.Cond{}); err == nil {
			_ = body.Close()
		}
		for _, err := range s.List(t.Context(), "p/", store.ListOptions{}) {
			_ = err // the answer is none, the request counts
			break
		}
		_, _ = s.Put(t.Context(), "k", section("x"), store.Headers{}, store.Cond{})
		_, _ = s.Copy(t.Context(), store.CopyRequest{Source: "a", Target: "k", Headers: &store.Headers{}})
		_, _ = s.DeleteMany(t.Context(), []string{"a"})
		_, _ = s.UploadPart(t.Context(), "k", "id", 1, section("x"))
		_ = s.Abort(t.Context(), "k", "id")
		seen := f.requests()
		if len(seen) < 8 {
			t.Fatalf("%d requests", len(seen))
		}
		for _, r := range seen {
			checkWire(t, r.Header, want)
		}
	}
}
