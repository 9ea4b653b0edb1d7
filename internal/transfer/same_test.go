package transfer_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/internal/transfer"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/op"
)

// parts5 stores an object as Amplify does: in parts of 5 MiB.
func parts5(t *testing.T, mem *memstore.Store, key string, data []byte) {
	t.Helper()
	c := transfer.New(mem, transfer.Config{PartSize: 5 << 20})
	if _, err := c.PutFile(t.Context(), key, file(t, data), transfer.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}

// sent are the requests that carry a file's bytes.
func sent(mem *memstore.Store) int {
	n := mem.Counts()
	return n[op.Put] + n[op.Create] + n[op.UploadPart] + n[op.Complete]
}

// TestPutChangedSendsNothingAgain: what is stored already, by one put, by our parts or by Amplify's, is not sent, whatever the time of the file.
func TestPutChangedSendsNothingAgain(t *testing.T) {
	for name, n := range map[string]int{"empty": 0, "one put": partSize, "parts": 3*partSize + 1, "Amplify's parts": 11 << 20} {
		mem, data := small(), noise(n)
		path := file(t, data)
		if name == "Amplify's parts" {
			parts5(t, mem, "k", data)
		} else if _, same, err := client(mem, "").PutChanged(t.Context(), "k", path, transfer.PutOptions{}); same || err != nil {
			t.Fatalf("%s, the first time: %v, %v", name, same, err)
		}
		old, _ := mem.Object("k")
		mem.ResetCounts()
		if err := os.Chtimes(path, time.Time{}, time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
		got, same, err := client(mem, "").PutChanged(t.Context(), "k", path, transfer.PutOptions{})
		if !same || err != nil || sent(mem) != 0 || got.ETag != old.ETag || got.Size != int64(n) {
			t.Errorf("%s: %v, %v, %d requests, %+v", name, same, err, sent(mem), got)
		}
	}
}

// TestPutChangedSendsWhatDiffers: one bit, at the same size and time, and what can not be compared, is sent.
func TestPutChangedSendsWhatDiffers(t *testing.T) {
	for _, n := range []int{5, partSize, 3*partSize + 1} {
		data := noise(n)
		other := bytes.Clone(data)
		other[n-1] ^= 1
		for name, before := range map[string]func(mem *memstore.Store){
			"one bit":      func(mem *memstore.Store) { mem.PutRaw("k", memstore.Raw{Data: other}) },
			"unknown ETag": func(mem *memstore.Store) { mem.PutRaw("k", memstore.Raw{Data: data, ETag: `"opaque"`}) },
			"unknown parts": func(mem *memstore.Store) {
				mem.PutRaw("k", memstore.Raw{Data: data, ETag: `"d41d8cd98f00b204e9800998ecf8427e-2"`})
			},
			"no ETag":        func(mem *memstore.Store) { mem.PutRaw("k", memstore.Raw{Data: data, NoETag: true}) },
			"wrong checksum": func(mem *memstore.Store) { mem.PutRaw("k", memstore.Raw{Data: data, Checksum: "CRC32:AAAAAA=="}) },
			"shorter":        func(mem *memstore.Store) { mem.PutRaw("k", memstore.Raw{Data: data[1:]}) },
			"nothing":        func(*memstore.Store) {},
		} {
			mem := small()
			before(mem)
			if _, same, err := client(mem, "").PutChanged(t.Context(), "k", file(t, data), transfer.PutOptions{}); same || err != nil {
				t.Errorf("%d bytes, %s: %v, %v", n, name, same, err)
			}
			if sent(mem) == 0 {
				t.Errorf("%d bytes, %s: nothing was sent", n, name)
			}
			want(t, mem, "k", data)
		}
	}
}

// TestPutChangedHeaders: an object whose headers are not what is asked for is not the same; what is not asked for does not count.
func TestPutChangedHeaders(t *testing.T) {
	have := headers()
	other := func(change func(h *store.Headers)) store.Headers {
		h := have.Clone()
		change(&h)
		return h
	}
	for name, c := range map[string]struct {
		give store.Headers
		same bool
	}{
		"none":         {store.Headers{}, true},
		"the same":     {have, true},
		"one of them":  {store.Headers{CacheControl: "no-cache"}, true},
		"content-type": {store.Headers{ContentType: "text/y"}, false},
		"metadata":     {other(func(h *store.Headers) { h.Metadata["own"] = "other" }), false},
		"tags":         {store.Headers{Tags: "a=2"}, false},
		"no tags":      {store.Headers{Tags: store.NoTags}, false},
		"acl":          {store.Headers{ACL: "private"}, false}, // nobody can tell
		"class":        {store.Headers{StorageClass: "STANDARD"}, false},
		"encryption":   {store.Headers{SSE: "AES256"}, false},
	} {
		mem := small()
		h := have.Clone()
		mem.PutRaw("k", memstore.Raw{Data: []byte("x"), Headers: h, Checksum: "CRC32:jNwWgw=="})
		if _, same, err := client(mem, "").PutChanged(t.Context(), "k", file(t, []byte("x")), transfer.PutOptions{Headers: c.give}); same != c.same || err != nil {
			t.Errorf("%s: %v, %v", name, same, err)
		}
	}
}

// TestExpiryThatCountsFromNow: a later one is no other put: what is there is not sent again, and what was interrupted goes on.
func TestExpiryThatCountsFromNow(t *testing.T) {
	const parts = 4
	for _, floats := range []bool{true, false} {
		mem, state, path := small(), t.TempDir(), file(t, noise(parts*partSize))
		at := func(expires string) transfer.PutOptions {
			return transfer.PutOptions{Headers: store.Headers{Expires: expires}, ExpiresFloats: floats}
		}
		ctx, cancel := context.WithCancel(t.Context())
		f := faultstore.New(mem, faultstore.Rule{Op: op.UploadPart, Nth: 3, Fault: faultstore.Do("interrupt", cancel)})
		if _, err := client(f, state).PutFile(ctx, "k", path, at("Tue, 01 Jan 2030 00:00:00 GMT")); err == nil {
			t.Fatal("not interrupted")
		}
		for _, later := range []string{"Tue, 01 Jan 2030 00:00:09 GMT", "Tue, 01 Jan 2030 00:00:18 GMT"} {
			if _, _, err := client(mem, state).PutChanged(t.Context(), "k", path, at(later)); err != nil {
				t.Fatal(err)
			}
		}
		want := map[bool]int{true: 1, false: 3}[floats]
		if n := mem.Counts()[op.Create]; n != want {
			t.Errorf("counts from now: %v: %d uploads begun, want %d", floats, n, want)
		}
	}
}

// TestPutChangedAsksOnlyWhatItMay: without the right to look all is sent; a store that does not answer is an error; a condition is the put's own.
func TestPutChangedAsksOnlyWhatItMay(t *testing.T) {
	mem := small()
	mem.PutString("k", "x")
	path := file(t, []byte("x"))
	denied := faultstore.New(mem, faultstore.Rule{Op: op.Head, Fault: faultstore.Denied()})
	if _, same, err := client(denied, "").PutChanged(t.Context(), "k", path, transfer.PutOptions{}); same || err != nil || mem.Counts()[op.Put] != 1 {
		t.Errorf("denied: %v, %v, %v", same, err, mem.Counts())
	}
	lost := faultstore.New(mem, faultstore.Rule{Op: op.Head, Fault: faultstore.Lost()})
	if _, _, err := client(lost, "").PutChanged(t.Context(), "k", path, transfer.PutOptions{}); !errors.Is(err, store.ErrTransient) {
		t.Errorf("unanswered: %v", err)
	}
	if _, _, err := client(mem, "").PutChanged(t.Context(), "k", path, transfer.PutOptions{Cond: store.Cond{IfNoneMatch: true}}); !errors.Is(err, transfer.ErrExists) {
		t.Errorf("if absent: %v", err)
	}
}

// TestGetChangedFetchesNothingAgain: a file that is what the object is, by its bytes, is not fetched; any other is.
func TestGetChangedFetchesNothingAgain(t *testing.T) {
	for _, n := range []int{0, 5, 3*partSize + 1} {
		mem, data, r := small(), noise(n), root(t)
		if _, err := client(mem, "").PutFile(t.Context(), "k", file(t, data), transfer.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			mem.ResetCounts()
			_, same, err := client(mem, "").GetChanged(t.Context(), "k", r, "f")
			if err != nil || same != (i == 1) || i == 1 && mem.Counts()[op.Get] != 0 {
				t.Errorf("%d bytes, time %d: %v, %v, %v", n, i, same, err, mem.Counts())
			}
			only(t, r, "f", data)
		}
		if n == 0 {
			continue
		}
		other := bytes.Clone(data)
		other[n/2] ^= 1
		if err := r.WriteFile("f", other, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, same, err := client(mem, "").GetChanged(t.Context(), "k", r, "f"); same || err != nil {
			t.Errorf("%d bytes, one bit: %v, %v", n, same, err)
		}
		only(t, r, "f", data)
	}
}

// TestGetChangedOfWhatCanNotBeCompared: an object without a checksum, and a link in the place of the file, are fetched.
func TestGetChangedOfWhatCanNotBeCompared(t *testing.T) {
	mem, r := small(), root(t)
	mem.PutRaw("k", memstore.Raw{Data: []byte("x"), ETag: `"opaque"`})
	for range 2 {
		if _, same, err := client(mem, "").GetChanged(t.Context(), "k", r, "f"); same || err != nil {
			t.Errorf("%v, %v", same, err)
		}
	}
	mem.PutString("k", "y")
	outside := file(t, []byte("y"))
	if err := errors.Join(os.Remove(r.Name()+"/f"), os.Symlink(outside, r.Name()+"/f")); err != nil {
		t.Fatal(err)
	}
	if _, same, err := client(mem, "").GetChanged(t.Context(), "k", r, "f"); same || err != nil {
		t.Errorf("a link: %v, %v", same, err)
	}
	if info, err := os.Lstat(r.Name() + "/f"); err != nil || !info.Mode().IsRegular() {
		t.Errorf("%v, %v", info, err)
	}
}

// TestChangedCanBeInterrupted: a comparison ends with its context.
func TestChangedCanBeInterrupted(t *testing.T) {
	mem, data := small(), noise(partSize)
	mem.PutRaw("k", memstore.Raw{Data: data})
	ctx, cancel := context.WithCancel(t.Context())
	f := faultstore.New(mem, faultstore.Rule{Op: op.Head, Fault: faultstore.Do("interrupt", cancel)})
	if _, same, err := client(f, "").PutChanged(ctx, "k", file(t, data), transfer.PutOptions{}); same || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", same, err)
	}
}
