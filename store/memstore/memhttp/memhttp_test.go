package memhttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/memstore/memhttp"
	"github.com/s3levelfs/s3levelfs/store/s3store"
)

func open(t *testing.T, cfg memstore.Config) (*memstore.Store, *s3store.Store) {
	t.Helper()
	mem := memstore.New(cfg)
	server := httptest.NewServer(memhttp.Handler("bucket", mem))
	t.Cleanup(server.Close)
	s, err := s3store.New(t.Context(), s3store.Config{
		Bucket: "bucket", Region: "us-east-1", Endpoint: server.URL, PathStyle: true, Credentials: s3store.Static("id", "secret", ""),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return mem, s
}

// TestListingsAreThoseOfTheStore: through the wire, pages, common prefixes, odd keys and start-after come as the store gives them.
func TestListingsAreThoseOfTheStore(t *testing.T) {
	mem, s := open(t, memstore.Config{})
	for i := range 1200 {
		mem.PutString(fmt.Sprintf("p/f%04d", i), "x")
	}
	for _, key := range []string{"p/a/b", "p/a b+c%20", "p/a-1", "p/é/\x01", "p//x", "q"} {
		mem.PutString(key, key)
	}
	for _, o := range []store.ListOptions{
		{},
		{Delimiter: "/"},
		{StartAfter: "p/f0500"},
		{Delimiter: "/", StartAfter: "p/a"},
		{Delimiter: "/", PageSize: 1, StartAfter: "p/f1190"},
		{Delimiter: "/", PageSize: 2, StartAfter: "p/a."},
	} {
		var got, want []string
		for i, from := range []store.Reader{s, mem} {
			var all []string
			for p, err := range from.List(t.Context(), "p/", o) {
				if err != nil {
					t.Fatal(err)
				}
				for _, obj := range p.Objects {
					all = append(all, fmt.Sprint(obj.Key, obj.Size, obj.ETag))
				}
				all = append(append(all, p.Prefixes...), "page")
			}
			if i == 0 {
				got = all
			} else {
				want = all
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%+v: %d entries, want %d: %.300q", o, len(got), len(want), got)
		}
	}
}

// TestObjects: bytes, ranges, headers and conditions.
func TestObjects(t *testing.T) {
	mem, s := open(t, memstore.Config{})
	ctx := t.Context()
	body := func(text string) *io.SectionReader {
		return io.NewSectionReader(strings.NewReader(text), 0, int64(len(text)))
	}
	put, err := s.Put(ctx, "p/a b", body("0123456789"), store.Headers{ContentType: "text/x", Metadata: map[string]string{"mode": "33188"}}, store.Cond{IfNoneMatch: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(ctx, "p/a b", body("again"), store.Headers{}, store.Cond{IfNoneMatch: true}); !errors.Is(err, store.ErrChanged) {
		t.Errorf("a second create: %v", err)
	}
	o, err := s.Head(ctx, "p/a b", store.Cond{IfMatch: put.ETag})
	if err != nil || o.Size != 10 || o.Headers.ContentType != "text/x" || o.Headers.Metadata["mode"] != "33188" {
		t.Errorf("%+v, %v", o, err)
	}
	r, o, err := s.Get(ctx, "p/a b", store.Range{Off: 3, Len: 4}, store.Cond{IfMatch: put.ETag})
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	_ = r.Close()
	if err != nil || string(text) != "3456" || o.Size != 10 {
		t.Errorf("%q of %d, %v", text, o.Size, err)
	}
	if _, _, err := s.Get(ctx, "p/none", store.All, store.Cond{}); !errors.Is(err, store.ErrNotExist) {
		t.Errorf("an absent key: %v", err)
	}
	mem.PutString("p/b", "x")
	if failed, err := s.DeleteMany(ctx, []string{"p/a b", "p/b", "p/none"}); err != nil || len(failed) > 0 || len(mem.Keys()) > 0 {
		t.Errorf("%v, %v, left %q", failed, err, mem.Keys())
	}
}

// TestParts: through the wire, a part comes with its place and its checksum, and of the whole it is said that it has none.
func TestParts(t *testing.T) {
	mem, s := open(t, memstore.Config{})
	id, err := mem.Create(t.Context(), "k", store.Headers{})
	if err != nil {
		t.Fatal(err)
	}
	var parts []store.Part
	for i, text := range []string{strings.Repeat("first", 1<<20+7), "second"} {
		p, err := mem.UploadPart(t.Context(), "k", id, int32(i+1), io.NewSectionReader(strings.NewReader(text), 0, int64(len(text))))
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, p)
	}
	if _, err := mem.Complete(t.Context(), "k", id, parts, store.Cond{}); err != nil {
		t.Fatal(err)
	}
	for _, r := range []store.Range{store.All, {Part: 1}, {Part: 2}} {
		var got [2]string
		for i, from := range []store.Reader{s, mem} {
			body, o, err := from.Get(t.Context(), "k", r, store.Cond{})
			if err != nil {
				t.Fatalf("%+v: %v", r, err)
			}
			data, err := io.ReadAll(body)
			got[i] = fmt.Sprint(len(data), err, o.Size, o.Part, o.Checksum, o.Composite)
			_ = body.Close()
		}
		if got[0] != got[1] {
			t.Errorf("%+v: %s, want %s", r, got[0], got[1])
		}
	}
	if o, err := s.Head(t.Context(), "k", store.Cond{}); err != nil || !o.Composite || o.Checksum != "" {
		t.Errorf("%+v, %v", o, err)
	}
	if _, _, err := s.Get(t.Context(), "k", store.Range{Part: 3}, store.Cond{}); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("a part that there is not: %v", err)
	}
}

// TestClientThatGoes: who waits no longer for an answer leaves no panic behind.
func TestClientThatGoes(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, path := range []string{"/bucket/k", "/bucket?list-type=2"} {
		w := httptest.NewRecorder()
		memhttp.Handler("bucket", memstore.New(memstore.Config{})).ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, path, nil))
		if w.Code != http.StatusInternalServerError {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}
