package app

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/op"
)

// makeTree makes small files and one that goes in parts.
func makeTree(t *testing.T, files int) string {
	t.Helper()
	dir := t.TempDir()
	for i := range files {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("f%02d", i)), []byte(strings.Repeat("x", i)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "large"), bytes.Repeat([]byte("0123456789abcdef"), 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// limited is a bucket that answers so many requests of a kind and denies the others.
func limited(mem *memstore.Store, what string, most int32) {
	var n atomic.Int32
	mem.SetAllow(func(is, _ string) error {
		if is == what && n.Add(1) > most {
			return errors.New("no more")
		}
		return nil
	})
}

// succeeded counts the requests of a kind that were carried out.
func succeeded(mem *memstore.Store, what string) (n int) {
	for _, r := range mem.Requests() {
		if r.Op == what && r.Err == nil {
			n++
		}
	}
	return n
}

// TestTreesGoOn: put -r and get -r that ended early send and fetch at their repetition only what is missing; what is there costs a look.
func TestTreesGoOn(t *testing.T) {
	const files, before = 12, 5
	mem := memstore.New(memstore.Config{})
	run, dir := command(t, mem), makeTree(t, files)
	limited(mem, op.Put, before)
	if out, code := run("put", "-r", dir, "to"); code != cmdline.ExitPermission {
		t.Fatalf("%d: %s", code, out)
	}
	if n := mem.Counts()[op.Head]; n != 0 {
		t.Errorf("an empty folder: %d objects were asked for", n)
	}
	mem.SetAllow(nil)
	for range 2 {
		if out, code := run("put", "-r", dir, "to"); code != cmdline.ExitOK {
			t.Fatalf("%d: %s", code, out)
		}
	}
	if puts, uploads, parts := succeeded(mem, op.Put), succeeded(mem, op.Complete), succeeded(mem, op.UploadPart); puts != files || uploads != 1 || parts != 2 {
		t.Errorf("%d puts, %d uploads, %d parts", puts, uploads, parts)
	}
	target := t.TempDir()
	mem.ResetCounts()
	limited(mem, op.Get, before)
	if out, code := run("get", "-r", "to", target); code != cmdline.ExitPermission {
		t.Fatalf("%d: %s", code, out)
	}
	mem.SetAllow(nil)
	for range 2 {
		if out, code := run("get", "-r", "to", target); code != cmdline.ExitOK {
			t.Fatalf("%d: %s", code, out)
		}
	}
	const gets = files - 1 + 2 // the empty file needs none, the large one two
	if n := succeeded(mem, op.Get); n != gets {
		t.Errorf("%d gets, want %d", n, gets)
	}
}

// TestCopyOfTagsSaysOnce: cp -r of tagged objects without the right to tags copies them, and says so in one line.
func TestCopyOfTagsSaysOnce(t *testing.T) {
	mem := memstore.New(memstore.Config{DenyTags: true})
	for _, name := range []string{"a", "b", "c"} {
		mem.PutRaw("public/from/"+name, memstore.Raw{Headers: store.Headers{ContentType: "text/x", Tags: "a=1"}})
	}
	var said bytes.Buffer
	if out, code := commandTo(t, mem, &said)("cp", "-r", "from", "to"); code != cmdline.ExitOK {
		t.Fatalf("%d: %s", code, out)
	}
	if text := said.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "s3:GetObjectTagging") {
		t.Errorf("said %q", text)
	}
	if o, _ := mem.Object("public/to/b"); o.Headers.ContentType != "text/x" || o.Headers.Tags != "" {
		t.Errorf("%+v", o.Headers)
	}
}
