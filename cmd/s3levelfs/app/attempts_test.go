package app

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/memstore/memhttp"
)

// failing is a server that answers the requests of a kind with 500, and counts them.
type failing struct {
	next http.Handler
	is   func(r *http.Request) bool

	mu    sync.Mutex
	count int
}

func (f *failing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !f.is(r) {
		f.next.ServeHTTP(w, r)
		return
	}
	f.mu.Lock()
	f.count++
	f.mu.Unlock()
	http.Error(w, "<Error><Code>InternalError</Code></Error>", http.StatusInternalServerError)
}

// attempts runs a command against a server that fails the requests of a kind, and wants so many of each of them, and then the error of a store that
// can not be reached.
func attempts(t *testing.T, is func(r *http.Request) bool, args ...string) {
	t.Helper()
	mem := memstore.New(memstore.Config{})
	mem.PutRaw("public/there", memstore.Raw{Data: []byte("x"), Headers: store.Headers{ContentType: "text/x"}})
	mem.PutString("public/too", "x")
	for most, flags := range map[int][]string{4: nil, 2: {"--max-attempts", "2"}} {
		server := &failing{next: memhttp.Handler("bucket", mem), is: is}
		run := commandAt(t, httptest.NewServer(server), os.Stderr)
		out, code := run(append(args, flags...)...)
		if code != cmdline.ExitUnavailable || server.count != most {
			t.Errorf("%q: %d requests, want %d; exit code %d: %s", append(args, flags...), server.count, most, code, out)
		}
	}
}

func method(names ...string) func(r *http.Request) bool {
	return func(r *http.Request) bool {
		for _, n := range names {
			if r.Method == n && strings.Contains(r.URL.Path, "/public/") {
				return true
			}
		}
		return false
	}
}

func query(name string) func(r *http.Request) bool {
	return func(r *http.Request) bool { return r.URL.Query().Has(name) }
}

// TestFourAttemptsOfReads: HEAD and GET are sent four times, or --max-attempts, and then it is an error.
func TestFourAttemptsOfReads(t *testing.T) {
	attempts(t, method(http.MethodHead), "stat", "there")
	attempts(t, method(http.MethodGet), "cat", "there")
	attempts(t, method(http.MethodGet), "get", "there", filepath.Join(t.TempDir(), "file"))
}

// TestFourAttemptsOfWrites: a put, a copy, a removal and a removal of many.
func TestFourAttemptsOfWrites(t *testing.T) {
	file := filepath.Join(makeTree(t, 1), "f00")
	attempts(t, method(http.MethodPut), "put", file, "new")
	attempts(t, method(http.MethodPut), "cp", "there", "copy")
	attempts(t, method(http.MethodDelete), "rm", "there")
	attempts(t, query("delete"), "rm", "there", "too")
}

// TestFourAttemptsOfParts: each request of an upload in parts, counted for itself.
func TestFourAttemptsOfParts(t *testing.T) {
	large := filepath.Join(makeTree(t, 1), "large")
	attempts(t, query("uploads"), "put", large, "new")
	attempts(t, func(r *http.Request) bool { return r.URL.Query().Get("partNumber") == "2" }, "put", large, "new")
	attempts(t, func(r *http.Request) bool { return r.Method == http.MethodPost && r.URL.Query().Has("uploadId") }, "put", large, "new")
}

// TestFourAttemptsOfLists: a page of a listing.
func TestFourAttemptsOfLists(t *testing.T) {
	attempts(t, query("list-type"), "ls")
}
