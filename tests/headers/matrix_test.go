package headers

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"go.uber.org/goleak"

	"github.com/s3levelfs/s3levelfs/fs/vfs"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/local"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/tests/mount"
)

func TestMain(m *testing.M) {
	local.MaybeRunChild()
	goleak.VerifyTestMain(m)
}

// column is one header: its value in an object, and what is read of it.
type column struct {
	name string
	of   func(store.Headers) string
}

func columns() []column {
	return []column{
		{"content-type", func(h store.Headers) string { return h.ContentType }},
		{"cache-control", func(h store.Headers) string { return h.CacheControl }},
		{"disposition", func(h store.Headers) string { return h.ContentDisposition }},
		{"encoding", func(h store.Headers) string { return h.ContentEncoding }},
		{"language", func(h store.Headers) string { return h.ContentLanguage }},
		{"expires", func(h store.Headers) string { return h.Expires }},
		{"metadata", func(h store.Headers) string { return h.Metadata["author"] }},
		{"tags", func(h store.Headers) string { return h.Tags }},
		{"storage class", func(h store.Headers) string { return h.StorageClass }},
		{"SSE", func(h store.Headers) string { return h.SSE }},
	}
}

func full() store.Headers {
	return store.Headers{
		ContentType: "application/x-test", CacheControl: "max-age=60", ContentDisposition: `attachment; filename="a b"`, ContentEncoding: "gzip",
		ContentLanguage: "de", Expires: "Wed, 21 Oct 2043 07:28:00 GMT", Metadata: map[string]string{"author": "me"}, Tags: "a=1&b=x+y",
		StorageClass: "STANDARD_IA", SSE: "AES256",
	}
}

// rig is a whole s3levelfs without a kernel on a bucket.
type rig struct {
	*testing.T
	st  store.Store
	all *mount.Stack
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// foreign is another application that stores an object with these headers.
func (r *rig) foreign(key string, size int, h store.Headers) {
	r.Helper()
	_, err := r.st.Put(r.Context(), key, io.NewSectionReader(bytes.NewReader(make([]byte, size)), 0, int64(size)), h, store.Cond{})
	r.must(err)
}

func (r *rig) drain() {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	left, err := r.all.Uploader.Wait(ctx, "")
	if err != nil || left.Ops > 0 {
		r.Fatalf("%+v, %v", left, err)
	}
}

func (r *rig) head(key string) store.Headers {
	r.Helper()
	o, err := r.st.Head(r.Context(), key, store.Cond{})
	r.must(err)
	return *o.Headers
}

// change opens a file, writes, does something and closes it.
func (r *rig) change(path string, flags uint32, off int64, meanwhile func()) {
	r.Helper()
	h, err := r.all.VFS.Open(r.Context(), path, flags)
	r.must(err)
	_, err = h.WriteAt(r.Context(), []byte("new bytes"), off)
	r.must(err)
	meanwhile()
	r.must(h.Flush(r.Context()))
	r.must(h.Release(r.Context()))
}

func (r *rig) set(path string, s vfs.SetAttr) {
	r.Helper()
	_, err := r.all.VFS.SetAttr(r.Context(), vfs.Ref{Path: path}, s)
	r.must(err)
}

const (
	small = 1000
	large = 20 << 20 // above what a change fetches whole
)

// operation changes a file, and gives the key of the object whose headers count.
type operation struct {
	name string
	size int
	run  func(r *rig, dir string) string
}

func nothing() {}

func operations() []operation {
	at := func(run func(r *rig, path string)) func(*rig, string) string {
		return func(r *rig, dir string) string { run(r, dir+"/f"); return dir + "/f" }
	}
	to := func(target func(dir string) (from, to, key string)) func(*rig, string) string {
		return func(r *rig, dir string) string {
			from, to, key := target(dir)
			r.must(r.all.VFS.Rename(r.Context(), from, to, 0))
			return key
		}
	}
	mode, size, when := uint32(0o600), int64(10), time.Unix(1_000_000_000, 0)
	return []operation{
		{"overwrite", small, at(func(r *rig, p string) { r.change(p, syscall.O_WRONLY|syscall.O_TRUNC, 0, nothing) })},
		{"append", small, at(func(r *rig, p string) { r.change(p, syscall.O_WRONLY|syscall.O_APPEND, small, nothing) })},
		{"truncate", small, at(func(r *rig, p string) { r.set(p, vfs.SetAttr{Size: &size}) })},
		{"chmod", small, at(func(r *rig, p string) { r.set(p, vfs.SetAttr{Mode: &mode}) })},
		{"utimens", small, at(func(r *rig, p string) { r.set(p, vfs.SetAttr{Mtime: &when}) })},
		{"rename", small, to(func(d string) (string, string, string) { return d + "/f", d + "/g", d + "/g" })},
		{"rename of the directory", small, to(func(d string) (string, string, string) { return d, d + "2", d + "2/f" })},
		{"rename across levels", small, to(func(d string) (string, string, string) {
			return d + "/f", "private/f", "private/" + mount.Identity + "/f"
		})},
		{"conflict copy", small, conflict},
		{"change of a large object", large, at(func(r *rig, p string) { r.change(p, syscall.O_RDWR, large/2, nothing) })},
		{"rename of a large object", large, to(func(d string) (string, string, string) { return d + "/f", d + "/g", d + "/g" })},
		{"setfattr of another", small, at(func(r *rig, p string) {
			r.must(r.all.VFS.SetXattr(r.Context(), vfs.Ref{Path: p}, "user.meta.other", []byte("x"), 0))
		})},
		{"overwritten twice at once", small, at(func(r *rig, p string) {
			r.change(p, syscall.O_WRONLY|syscall.O_TRUNC, 0, nothing)
			r.change(p, syscall.O_WRONLY|syscall.O_TRUNC, 0, nothing)
		})},
		{"new file moved over", small, at(func(r *rig, p string) {
			h, _, err := r.all.VFS.Create(r.Context(), p+".tmp", syscall.O_CREAT|syscall.O_WRONLY, 0o644)
			r.must(err)
			_, err = h.WriteAt(r.Context(), []byte("new"), 0)
			r.must(err)
			r.must(h.Flush(r.Context()))
			r.must(h.Release(r.Context()))
			r.must(r.all.VFS.Rename(r.Context(), p+".tmp", p, 0))
		})},
	}
}

// conflict overwrites a file that somebody else changes meanwhile: ours lands beside it.
func conflict(r *rig, dir string) string {
	r.change(dir+"/f", syscall.O_WRONLY|syscall.O_TRUNC, 0, func() { r.foreign(dir+"/f", small+1, store.Headers{ContentType: "text/theirs"}) })
	r.drain()
	for page, err := range r.st.List(r.Context(), dir+"/", store.ListOptions{}) {
		r.must(err)
		for _, o := range page.Objects {
			if strings.Contains(o.Key, "(conflict ") {
				return o.Key
			}
		}
	}
	r.Fatal("there is no conflict copy")
	return ""
}

// TestHeadersAndOperations: each header that the server stores at all is kept by each operation.
func TestHeadersAndOperations(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) store.Store{
		"memstore": func(*testing.T) store.Store { return memstore.New(memstore.Config{}) },
		"versitygw": func(t *testing.T) store.Store {
			s, err := local.Open(t.Context(), local.Config{Data: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			st := open(t)
			all, err := mount.NewStack(t.TempDir(), st, mount.StackOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := all.Stop(); err != nil {
					t.Error(err)
				}
				if err := st.Close(); err != nil {
					t.Error(err)
				}
			}()
			matrix(&rig{t, st, all})
		})
	}
}

func matrix(r *rig) {
	r.foreign("public/probe", small, full())
	stored := r.head("public/probe")
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprint(w, "operation")
	for _, c := range columns() {
		_, _ = fmt.Fprintf(w, "\t%s", c.name)
	}
	cells, bad := 0, 0
	all := slices.Concat(operations(), copyOperations())
	for i, o := range all {
		dir := fmt.Sprintf("public/dir%d", i)
		r.foreign(dir+"/f", o.size, full())
		key := o.run(r, dir)
		r.drain()
		got := r.head(key)
		_, _ = fmt.Fprintf(w, "\n%s", o.name)
		for _, c := range columns() {
			want, is := c.of(full()), c.of(got)
			switch {
			case c.of(stored) != want:
				_, _ = fmt.Fprint(w, "\tnot stored") // by this server, whoever sends it
				continue
			case is != want:
				_, _ = fmt.Fprintf(w, "\tLOST: %q", is)
				bad++
			default:
				_, _ = fmt.Fprint(w, "\tok")
			}
			cells++
		}
	}
	_ = w.Flush()
	r.Logf("%d cells, %d lost\n%s", cells, bad, table.String())
	if bad > 0 || cells < 8*len(all) {
		r.Errorf("%d of %d cells are lost", bad, cells)
	}
}
