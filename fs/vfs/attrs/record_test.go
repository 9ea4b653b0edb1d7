package attrs

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/store"
)

// What decodes, encodes to something that decodes to the same; the rest is refused, without a panic.
func FuzzRecord(f *testing.F) {
	e := &entry{
		etag: "e", size: 3, checked: time.Unix(5, 6), seen: [2]int64{7, 8},
		headers: pack(&store.Headers{ContentType: "text/plain", BucketKey: true, Metadata: map[string]string{"mode": "33188", "note": ""}}),
	}
	f.Add(encodeEntry(nil, "private/k", e))
	f.Add(encodeEntry(nil, "k", &entry{headers: pack(&store.Headers{})}))
	f.Add([]byte{})
	f.Add([]byte{1, 'k', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, b []byte) {
		key, e, err := decodeEntry(b)
		if err != nil {
			return
		}
		once := encodeEntry(nil, key, e)
		key2, e2, err := decodeEntry(once)
		if err != nil || key2 != key {
			t.Fatalf("%q, %v", key2, err)
		}
		if twice := encodeEntry(nil, key2, e2); !bytes.Equal(once, twice) {
			t.Errorf("%x became %x", once, twice)
		}
	})
}

func TestRecordKeepsAll(t *testing.T) {
	e := &entry{etag: "e", size: 3, checked: time.Unix(5, 6), seen: [2]int64{7, 8}}
	want := store.Headers{BucketKey: true, Metadata: map[string]string{"a": "b"}}
	for i, text := range headerTexts(&want) {
		*text = string(rune('a' + i))
	}
	e.headers = pack(&want)
	_, got, err := decodeEntry(encodeEntry(nil, "k", e))
	if err != nil {
		t.Fatal(err)
	}
	if !got.checked.Equal(e.checked) || got.seen != e.seen || got.size != e.size || got.etag != e.etag {
		t.Errorf("got %+v", got)
	}
	if diff := cmp.Diff(want, unpack(got.headers)); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}

// TestEntriesAreSmall: what is known of files that a mount has written or seen stays in memory.
func TestEntriesAreSmall(t *testing.T) {
	const n, most = 20_000, 550 // bytes, the key among them
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	x := New(nil, Config{})
	defer x.Close()
	before := heap()
	for i := range n {
		x.Put(store.Object{
			Key: fmt.Sprintf("private/eu-central-1:11111111-2222-3333-4444-555555555555/many/f%d", i), ETag: fmt.Sprintf(`"%032x"`, i), Size: 1024,
			Headers: &store.Headers{ContentType: "text/plain; charset=utf-8", Metadata: map[string]string{
				"uid": "1000", "gid": "1000", "mode": "33188", "mtime": "1700000000.123456789", "s3levelfs-w": fmt.Sprintf("%026d", i),
			}},
		})
	}
	each := (heap() - before) / n
	t.Logf("%d bytes an entry", each)
	if each > most {
		t.Errorf("an entry takes %d bytes, want at most %d", each, most)
	}
	runtime.KeepAlive(x)
}
