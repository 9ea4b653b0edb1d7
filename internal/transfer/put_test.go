package transfer_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/s3levelfs/s3levelfs/internal/transfer"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
)

const partSize = 1 << 10

func small() *memstore.Store { return memstore.New(memstore.Config{MinPart: 1}) }

func client(s store.Store, state string) *transfer.Client {
	return transfer.New(s, transfer.Config{PartSize: partSize, State: state, Scope: "test"})
}

// noise is data in which no part is like another.
func noise(n int) []byte {
	data := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(data)
	return data
}

func file(t *testing.T, data []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file.bin")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func want(t *testing.T, s *memstore.Store, key string, data []byte) {
	t.Helper()
	if o, ok := s.Object(key); !ok || !bytes.Equal(o.Data, data) {
		t.Errorf("%q: %d bytes (there: %v), want the %d that were sent", key, len(o.Data), ok, len(data))
	}
}

// TestPutSizes: files and streams of all sizes around a part's arrive whole, by as many requests as it takes.
func TestPutSizes(t *testing.T) {
	for _, n := range []int{0, 1, partSize - 1, partSize, partSize + 1, 3 * partSize, 5*partSize + 7} {
		data := noise(n)
		mem := small()
		c := client(mem, t.TempDir())
		got, err := c.PutFile(t.Context(), "a//b", file(t, data), transfer.PutOptions{})
		if err != nil || got.Size != int64(n) || got.ETag == "" {
			t.Fatalf("%d bytes: %+v, %v", n, got, err)
		}
		want(t, mem, "a//b", data)
		if parts := mem.Counts()[op.UploadPart]; n <= partSize && parts != 0 || n > partSize && parts != (n+partSize-1)/partSize {
			t.Errorf("%d bytes: %d parts", n, parts)
		}
		if got, err = c.PutStream(t.Context(), "s", "standard input", bytes.NewReader(data), transfer.PutOptions{}); err != nil || got.Size != int64(n) {
			t.Fatalf("%d bytes of a stream: %+v, %v", n, got, err)
		}
		want(t, mem, "s", data)
		if left := mem.Uploads(); len(left) != 0 {
			t.Errorf("%d bytes: uploads left: %v", n, left)
		}
	}
}

// TestPutResume: after an interruption at any part the next put sends only what the store has not, one part at most more than there are.
func TestPutResume(t *testing.T) {
	const parts = 6
	data := noise(parts*partSize - 5)
	for stop := 1; stop <= parts; stop++ {
		mem, state, name := small(), t.TempDir(), file(t, data)
		ctx, cancel := context.WithCancel(t.Context())
		f := faultstore.New(mem, faultstore.Rule{Op: op.UploadPart, Nth: stop, Fault: faultstore.Do("interrupt", cancel)})
		if _, err := client(f, state).PutFile(ctx, "k", name, transfer.PutOptions{}); !errors.Is(err, context.Canceled) {
			t.Fatalf("stopped at part %d: %v", stop, err)
		}
		if _, ok := mem.Object("k"); ok {
			t.Fatal("half an object")
		}
		var loaded int64
		c := transfer.New(mem, transfer.Config{PartSize: partSize, State: state, Scope: "test", Progress: func(p transfer.Progress) { loaded = p.Loaded }})
		if _, err := c.PutFile(t.Context(), "k", name, transfer.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		want(t, mem, "k", data)
		counts := mem.Counts()
		if n := counts[op.UploadPart]; n < parts || n > parts+1 || counts[op.Create] != 1 || loaded != int64(len(data)) {
			t.Errorf("stopped at part %d: %d parts of %d sent, %d uploads begun, %d bytes told of", stop, n, parts, counts[op.Create], loaded)
		}
		if left, _ := os.ReadDir(state); len(left) != 0 {
			t.Errorf("records left: %v", left)
		}
	}
}

// TestPutOfAnotherFileStartsOver: a record is used for what it is of, alone.
func TestPutOfAnotherFileStartsOver(t *testing.T) {
	data := noise(4 * partSize)
	for what, change := range map[string]func(name string) transfer.PutOptions{
		"bytes": func(name string) transfer.PutOptions {
			data = bytes.Clone(data)
			data[5] ^= 1
			if err := os.WriteFile(name, data, 0o600); err != nil {
				t.Fatal(err)
			}
			return transfer.PutOptions{}
		},
		"headers": func(string) transfer.PutOptions {
			return transfer.PutOptions{Headers: store.Headers{ContentType: "text/x"}}
		},
	} {
		mem, state, name := small(), t.TempDir(), file(t, data)
		ctx, cancel := context.WithCancel(t.Context())
		f := faultstore.New(mem, faultstore.Rule{Op: op.UploadPart, Nth: 3, Fault: faultstore.Do("interrupt", cancel)})
		if _, err := client(f, state).PutFile(ctx, "k", name, transfer.PutOptions{}); err == nil {
			t.Fatal("not interrupted")
		}
		if _, err := client(mem, state).PutFile(t.Context(), "k", name, change(name)); err != nil {
			t.Fatal(err)
		}
		want(t, mem, "k", data)
		if n := mem.Counts()[op.Create]; n != 2 || len(mem.Uploads()) != 0 {
			t.Errorf("other %s: %d uploads begun, left %v", what, n, mem.Uploads())
		}
	}
}

// TestPutAfterTheUploadIsLost: what the server has dropped is sent anew.
func TestPutAfterTheUploadIsLost(t *testing.T) {
	data := noise(4 * partSize)
	mem, state, name := small(), t.TempDir(), file(t, data)
	ctx, cancel := context.WithCancel(t.Context())
	f := faultstore.New(mem, faultstore.Rule{Op: op.UploadPart, Nth: 3, Fault: faultstore.Do("interrupt", cancel)})
	if _, err := client(f, state).PutFile(ctx, "k", name, transfer.PutOptions{}); err == nil {
		t.Fatal("not interrupted")
	}
	mem.LoseUploads()
	if _, err := client(mem, state).PutFile(t.Context(), "k", name, transfer.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	want(t, mem, "k", data)
}

// TestPutOfAFileThatChanges: nothing is stored of a file that is written to while it is sent, and nothing stays behind.
func TestPutOfAFileThatChanges(t *testing.T) {
	for _, when := range []string{op.Create, op.UploadPart} {
		mem, state, name := small(), t.TempDir(), file(t, noise(4*partSize))
		grow := func() {
			f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
			if err == nil {
				_, err = f.WriteString("more")
				err = errors.Join(err, f.Close())
			}
			if err != nil {
				t.Error(err)
			}
		}
		f := faultstore.New(mem, faultstore.Rule{Op: when, Fault: faultstore.Do("act", grow)})
		_, err := client(f, state).PutFile(t.Context(), "k", name, transfer.PutOptions{})
		if !errors.Is(err, transfer.ErrChanged) || !strings.Contains(err.Error(), name) {
			t.Errorf("at %s: %v", when, err)
		}
		if _, ok := mem.Object("k"); ok || len(mem.Uploads()) != 0 {
			t.Errorf("at %s: stored %v, uploads %v", when, ok, mem.Uploads())
		}
	}
}

// TestPutIfNoneMatch: what is there stays, whether it is met at once or at the end; the error names the key.
func TestPutIfNoneMatch(t *testing.T) {
	o := transfer.PutOptions{Cond: store.Cond{IfNoneMatch: true}}
	for _, n := range []int{10, 3 * partSize} {
		mem := small()
		mem.PutString("k", "theirs")
		_, err := client(mem, t.TempDir()).PutFile(t.Context(), "k", file(t, noise(n)), o)
		if !errors.Is(err, transfer.ErrExists) || !strings.Contains(err.Error(), `"k"`) {
			t.Errorf("%d bytes: %v", n, err)
		}
		want(t, mem, "k", []byte("theirs"))
		if got := mem.Counts()[op.UploadPart]; got != 0 {
			t.Errorf("%d parts sent for nothing", got)
		}
		late := small()
		f := faultstore.New(late, faultstore.Rule{Op: op.UploadPart, Fault: faultstore.Do("act", func() { late.PutString("k", "theirs") })})
		if n > partSize {
			if _, err := client(f, t.TempDir()).PutFile(t.Context(), "k", file(t, noise(n)), o); !errors.Is(err, transfer.ErrExists) {
				t.Errorf("met at the end: %v", err)
			}
			want(t, late, "k", []byte("theirs"))
			if len(late.Uploads()) != 0 {
				t.Error("the upload stays")
			}
		}
	}
}

// TestPutUnanswered: a put whose answer was lost has landed, and does not meet itself.
func TestPutUnanswered(t *testing.T) {
	o := transfer.PutOptions{Cond: store.Cond{IfNoneMatch: true}}
	for n, request := range map[int]string{10: op.Put, 3 * partSize: op.Complete} {
		mem := memstore.New(memstore.Config{MinPart: 1, ForgetCompleted: true})
		f := faultstore.New(mem, faultstore.Rule{Op: request, Fault: faultstore.Lost()})
		data := noise(n)
		if _, err := client(f, t.TempDir()).PutFile(t.Context(), "k", file(t, data), o); err != nil {
			t.Errorf("%s: %v", request, err)
		}
		want(t, mem, "k", data)
		if raw, _ := mem.Object("k"); raw.Headers.Metadata[uploader.WrittenBy] == "" {
			t.Error("no id")
		}
	}
}

// brokenReader ends with an error behind its bytes.
type brokenReader struct{ from io.Reader }

func (b brokenReader) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	if errors.Is(err, io.EOF) {
		err = errors.New("input/output error")
	}
	return n, err
}

// TestPutOfABrokenStream: what could not be read to its end is not stored.
func TestPutOfABrokenStream(t *testing.T) {
	for _, n := range []int{10, 3*partSize + 10} {
		mem := small()
		_, err := client(mem, "").PutStream(t.Context(), "k", "standard input", brokenReader{bytes.NewReader(noise(n))}, transfer.PutOptions{})
		if err == nil || !strings.Contains(err.Error(), "standard input") {
			t.Errorf("%d bytes: %v", n, err)
		}
		if len(mem.Keys()) != 0 || len(mem.Uploads()) != 0 {
			t.Errorf("%d bytes: stored %q, uploads %v", n, mem.Keys(), mem.Uploads())
		}
	}
}

// TestPutContentType: by the key's extension, then by the bytes; what is given counts.
func TestPutContentType(t *testing.T) {
	for _, c := range []struct{ key, data, given, want string }{
		{"a.png", "no image", "", "image/png"},
		{"a", "<!DOCTYPE html><html></html>", "", "text/html; charset=utf-8"},
		{"a", "", "", "application/octet-stream"},
		{"a.png", "x", "text/x-own", "text/x-own"},
	} {
		mem := small()
		if _, err := client(mem, "").PutFile(t.Context(), c.key, file(t, []byte(c.data)), transfer.PutOptions{Headers: store.Headers{ContentType: c.given}}); err != nil {
			t.Fatal(err)
		}
		if o, _ := mem.Object(c.key); o.Headers.ContentType != c.want {
			t.Errorf("%+v: %q", c, o.Headers.ContentType)
		}
	}
}

// TestPutSource: what can not be sent is named.
func TestPutSource(t *testing.T) {
	for _, name := range []string{filepath.Join(t.TempDir(), "none"), t.TempDir()} {
		if _, err := client(small(), "").PutFile(t.Context(), "k", name, transfer.PutOptions{}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPutThatHadEnded: a put that was interrupted when its object was there already, but it did not know, does not meet itself the next time.
func TestPutThatHadEnded(t *testing.T) {
	o := transfer.PutOptions{Cond: store.Cond{IfNoneMatch: true}}
	mem, state, data := memstore.New(memstore.Config{MinPart: 1, ForgetCompleted: true}), t.TempDir(), noise(3*partSize)
	name := file(t, data)
	f := faultstore.New(mem,
		faultstore.Rule{Op: op.Complete, Fault: faultstore.Lost()},
		faultstore.Rule{Op: op.Head, Nth: 2, Count: faultstore.Forever, Fault: faultstore.Denied()})
	if _, err := client(f, state).PutFile(t.Context(), "k", name, o); err == nil {
		t.Fatal("the answers were lost, and it knows")
	}
	if _, err := client(mem, state).PutFile(t.Context(), "k", name, o); err != nil {
		t.Error(err)
	}
	want(t, mem, "k", data)
	if left, _ := os.ReadDir(state); len(left) != 0 || mem.Counts()[op.Create] != 1 {
		t.Errorf("records left: %v, %d uploads begun", left, mem.Counts()[op.Create])
	}
}

// TestPutWithATornRecord: a line of which a part is missing costs the part that it was of, and nothing that follows it.
func TestPutWithATornRecord(t *testing.T) {
	const parts = 6
	mem, state, data := small(), t.TempDir(), noise(parts*partSize)
	name := file(t, data)
	for _, stop := range []int{4, 3} {
		ctx, cancel := context.WithCancel(t.Context())
		f := faultstore.New(mem, faultstore.Rule{Op: op.UploadPart, Nth: stop, Fault: faultstore.Do("interrupt", cancel)})
		if _, err := client(f, state).PutFile(ctx, "k", name, transfer.PutOptions{}); err == nil {
			t.Fatal("not interrupted")
		}
		left, err := filepath.Glob(filepath.Join(state, "*.put"))
		if err != nil || len(left) != 1 {
			t.Fatalf("%v, %v", left, err)
		}
		info, err := os.Stat(left[0])
		if err == nil {
			err = os.Truncate(left[0], info.Size()-5)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := client(mem, state).PutFile(t.Context(), "k", name, transfer.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	want(t, mem, "k", data)
	if n := mem.Counts(); n[op.UploadPart] > parts+4 || n[op.Create] != 1 {
		t.Errorf("%d parts sent, %d uploads begun", n[op.UploadPart], n[op.Create])
	}
}
