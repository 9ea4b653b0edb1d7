package s3store_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/s3store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "verysecretkeyverysecretkey"

// fake is an S3 server that answers what a test says and notes what it was asked.
type fake struct {
	*httptest.Server
	mu   sync.Mutex
	seen []seen
}

type seen struct {
	*http.Request
	body string
}

func newFake(t *testing.T, answer http.HandlerFunc) *fake {
	t.Helper()
	f := &fake{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		f.mu.Lock()
		f.seen = append(f.seen, seen{r.Clone(r.Context()), string(body)})
		f.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *fake) requests() []seen {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen
}

func open(t *testing.T, endpoint string, change ...func(*s3store.Config)) *s3store.Store {
	t.Helper()
	cfg := s3store.Config{
		Bucket: "bucket", Region: "us-east-1", Endpoint: endpoint, PathStyle: true,
		Credentials: s3store.Static("AKIDEXAMPLE", secret, ""),
	}
	for _, c := range change {
		c(&cfg)
	}
	s, err := s3store.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("X-Amz-Request-Id", "REQ1")
	w.WriteHeader(status)
	if code != "" {
		_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>because</Message></Error>", code)
	}
}

func section(s string) *io.SectionReader {
	return io.NewSectionReader(strings.NewReader(s), 0, int64(len(s)))
}

// ops are all calls, by name.
func ops(t *testing.T, s *s3store.Store) map[string]func() error {
	t.Helper()
	ctx := t.Context()
	return map[string]func() error{
		"head": func() error { _, err := s.Head(ctx, "k", store.Cond{}); return err },
		"get": func() error {
			body, _, err := s.Get(ctx, "k", store.All, store.Cond{})
			if err == nil {
				err = body.Close()
			}
			return err
		},
		"list": func() error {
			for _, err := range s.List(ctx, "p/", store.ListOptions{}) {
				if err != nil {
					return err
				}
			}
			return nil
		},
		"put": func() error {
			_, err := s.Put(ctx, "k", section("body"), store.Headers{}, store.Cond{})
			return err
		},
		"copy": func() error {
			_, err := s.Copy(ctx, store.CopyRequest{Source: "a", Target: "k", Known: &store.Headers{}})
			return err
		},
		"delete": func() error { return s.Delete(ctx, "k", store.Cond{}) },
		"delete-many": func() error {
			_, err := s.DeleteMany(ctx, []string{"k", "l"})
			return err
		},
		"create": func() error { _, err := s.Create(ctx, "k", store.Headers{}); return err },
		"upload-part": func() error {
			_, err := s.UploadPart(ctx, "k", "id", 1, section("body"))
			return err
		},
		"copy-part": func() error {
			_, err := s.CopyPart(ctx, "k", "id", 1, "src", `"e"`, store.Range{Len: 4})
			return err
		},
		"complete": func() error {
			_, err := s.Complete(ctx, "k", "id", []store.Part{{Number: 1, ETag: `"e"`}}, store.Cond{})
			return err
		},
		"abort": func() error { return s.Abort(ctx, "k", "id") },
	}
}

func isRead(op string) bool { return op == "head" || op == "get" || op == "list" }
