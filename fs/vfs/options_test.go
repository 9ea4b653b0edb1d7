package vfs_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/fs/vfs"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/op"
)

// someOptions gives style sheets and everything else what they begin with.
func someOptions(key string) store.Headers {
	h := store.Headers{CacheControl: "all", Tags: "a=1", SSE: "AES256", Metadata: map[string]string{"by": "all"}}
	if strings.HasSuffix(key, ".css") {
		h.CacheControl, h.ContentLanguage, h.Metadata = "css", "de", map[string]string{"by": "css"}
	}
	return h
}

// wantStored compares the headers of an object but those that the mount writes for itself and the type that is guessed.
func wantStored(t tb, e *env, key string, want store.Headers) {
	t.Helper()
	raw, ok := e.mem.Object(key)
	if !ok {
		t.Errorf("%s is not there", key)
	}
	h := raw.Headers
	h.ContentType = ""
	for name := range h.Metadata {
		if name != "by" {
			delete(h.Metadata, name)
		}
	}
	if len(h.Metadata) == 0 {
		h.Metadata = nil
	}
	if diff := cmp.Diff(want, h); diff != "" {
		t.Errorf("%s (-want +got): %s", key, diff)
	}
}

// TestCreatedObjectsGetOptions: what is created gets the options of its key, in one request; what exists keeps its own headers, also where
// a program writes another file and moves it over.
func TestCreatedObjectsGetOptions(t *testing.T) {
	e := newEnv(t, envConfig{settle: time.Minute, vfs: vfs.Config{Created: someOptions}})
	defer e.close(t)
	e.put(t, "public/old.css", []byte("somebody else's"))
	e.put(t, "public/moved over.css", []byte("somebody else's"))
	listNames(t, e, "public")
	e.mem.ResetCounts()

	writeFile(t, e.fs, "public/new", []byte("x"))
	writeFile(t, e.fs, "public/new.css", []byte("x"))
	e.drain(t)
	wantCounts(t, e, map[string]int{op.Put: 2})
	wantStored(t, e, "public/new", someOptions("new"))
	wantStored(t, e, "public/new.css", someOptions("x.css"))
	wantXattr(t, e, "public/new.css", "user.s3.cache-control", "css")

	must(t, e.fs.RemoveXattr(t.Context(), vfs.Ref{Path: "public/new"}, "user.s3.cache-control"))
	e.drain(t)
	writeFile(t, e.fs, "public/new", []byte("rewritten"))
	writeFile(t, e.fs, "public/old.css", []byte("rewritten"))
	e.drain(t)
	without := someOptions("new")
	without.CacheControl = ""
	wantStored(t, e, "public/new", without)
	wantStored(t, e, "public/old.css", store.Headers{})

	// Written under another name first: nothing is sent before drain asks for it.
	writeFile(t, e.fs, "public/a.tmp", []byte("x"))
	must(t, e.fs.Rename(t.Context(), "public/a.tmp", "public/a.css", 0))
	writeFile(t, e.fs, "public/b.tmp", []byte("x"))
	setXattr(t, e, "public/b.tmp", "user.s3.cache-control", "mine")
	must(t, e.fs.Rename(t.Context(), "public/b.tmp", "public/b.css", 0))
	writeFile(t, e.fs, "public/c.tmp", []byte("x"))
	must(t, e.fs.Rename(t.Context(), "public/c.tmp", "public/moved over.css", 0))
	e.drain(t)
	wantStored(t, e, "public/a.css", someOptions("x.css"))
	mine := someOptions("x.css")
	mine.CacheControl = "mine"
	wantStored(t, e, "public/b.css", mine)
	wantStored(t, e, "public/moved over.css", store.Headers{})

	// A directory and a link are encrypted alike, and nothing else.
	_, err := e.fs.Mkdir(t.Context(), "public/d", 0o755)
	must(t, err)
	_, err = e.fs.Symlink(t.Context(), "new", "public/link")
	must(t, err)
	e.drain(t)
	wantStored(t, e, "public/d/", store.Headers{SSE: "AES256"})
	wantStored(t, e, "public/link", store.Headers{SSE: "AES256"})
}
