package transfer_test

import (
	"errors"
	"testing"

	"github.com/s3levelfs/s3levelfs/internal/transfer"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/op"
)

// cells are the ways in which a copy is made: one request, parts for the size, parts for a condition that a copy would drop.
func cells() map[string]memstore.Config {
	limits := store.S3Limits()
	limits.MaxCopy, limits.MinPart = partSize, 1
	return map[string]memstore.Config{"one": {}, "size": {Limits: limits}, "condition": {IgnoreCopyCond: true, MinPart: 1}}
}

func headers() store.Headers {
	return store.Headers{
		ContentType: "text/x", CacheControl: "no-cache", ContentDisposition: "inline", ContentEncoding: "gzip", ContentLanguage: "de",
		Expires: "Sun, 06 Nov 1994 08:49:37 GMT", Metadata: map[string]string{"mode": "33188", "own": "value"}, Tags: "a=1&b=x+y",
		WebsiteRedirect: "/there", StorageClass: "STANDARD_IA", SSE: "aws:kms", SSEKMSKeyID: "key", BucketKey: true,
	}
}

// TestCopyKeepsHeaders: bytes and headers, however the copy is made.
func TestCopyKeepsHeaders(t *testing.T) {
	for name, cfg := range cells() {
		for _, n := range []int{0, 5, 3*partSize + 1} {
			mem, data := memstore.New(cfg), noise(n)
			mem.PutRaw("a//b", memstore.Raw{Data: data, Headers: headers()})
			if _, err := client(mem, "").Copy(t.Context(), "a//b", "to", store.Cond{IfNoneMatch: true}); err != nil {
				t.Fatalf("%s, %d bytes: %v", name, n, err)
			}
			want(t, mem, "to", data)
			got, _ := mem.Object("to")
			delete(got.Headers.Metadata, "s3levelfs-w")
			if !got.Headers.Equal(headers()) {
				t.Errorf("%s, %d bytes: %+v", name, n, got.Headers)
			}
			if _, err := client(mem, "").Copy(t.Context(), "a//b", "to", store.Cond{IfNoneMatch: true}); !errors.Is(err, transfer.ErrExists) || len(mem.Uploads()) != 0 {
				t.Errorf("%s, %d bytes, onto what is there: %v, uploads %v", name, n, err, mem.Uploads())
			}
		}
	}
}

// TestMoveRemovesWhatWasCopied: a version that comes in between stays.
func TestMoveRemovesWhatWasCopied(t *testing.T) {
	for name, cfg := range cells() {
		mem := memstore.New(cfg)
		mem.PutString("from", string(noise(3*partSize)))
		if _, err := client(mem, "").Move(t.Context(), "from", "to", store.Cond{}); err != nil || len(mem.Keys()) != 1 {
			t.Errorf("%s: %v, %q", name, err, mem.Keys())
		}
		mem.PutString("from", "first")
		f := faultstore.New(mem, faultstore.Rule{Op: op.Delete, Fault: faultstore.Do("change", func() { mem.PutString("from", "second") })})
		if _, err := client(f, "").Move(t.Context(), "from", "to", store.Cond{}); !errors.Is(err, transfer.ErrLeft) {
			t.Errorf("%s, changed before it was removed: %v", name, err)
		}
		want(t, mem, "from", []byte("second"))
		want(t, mem, "to", []byte("first"))
	}
}

// TestCopyOfWhatChanges: no other version than the one that was looked at gets under the target's key.
func TestCopyOfWhatChanges(t *testing.T) {
	for name, cfg := range cells() {
		mem := memstore.New(cfg)
		mem.PutString("from", string(noise(3*partSize)))
		change := faultstore.Do("change", func() { mem.PutString("from", string(noise(4*partSize))) })
		f := faultstore.New(mem, faultstore.Rule{Op: op.Copy, Fault: change}, faultstore.Rule{Op: op.CopyPart, Fault: change})
		if _, err := client(f, "").Copy(t.Context(), "from", "to", store.Cond{IfNoneMatch: true}); !errors.Is(err, transfer.ErrChanged) {
			t.Errorf("%s: %v", name, err)
		}
		if _, ok := mem.Object("to"); ok || len(mem.Uploads()) != 0 {
			t.Errorf("%s: copied %v, uploads %v", name, ok, mem.Uploads())
		}
	}
}

// TestCopyOntoItself is refused before anything is asked.
func TestCopyOntoItself(t *testing.T) {
	mem := small()
	mem.PutString("k", "x")
	if _, err := client(mem, "").Move(t.Context(), "k", "k", store.Cond{}); err == nil {
		t.Error("moved")
	}
	want(t, mem, "k", []byte("x"))
}
