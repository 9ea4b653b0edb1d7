package attrs

import (
	"bytes"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
)

// What decodes, encodes to something that decodes to the same; the rest is refused, without a panic.
func FuzzRecord(f *testing.F) {
	e := &entry{
		etag: "e", size: 3, checked: time.Unix(5, 6), seen: [2]int64{7, 8},
		headers: store.Headers{ContentType: "text/plain", BucketKey: true, Metadata: map[string]string{"mode": "33188", "note": ""}},
	}
	f.Add(encodeEntry(nil, "private/k", e))
	f.Add(encodeEntry(nil, "k", &entry{}))
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
	for i, text := range headerTexts(&e.headers) {
		*text = string(rune('a' + i))
	}
	e.headers.BucketKey = true
	e.headers.Metadata = map[string]string{"a": "b"}
	_, got, err := decodeEntry(encodeEntry(nil, "k", e))
	if err != nil {
		t.Fatal(err)
	}
	if !got.checked.Equal(e.checked) || got.seen != e.seen || got.size != e.size || got.etag != e.etag {
		t.Errorf("got %+v", got)
	}
	for i, text := range headerTexts(&got.headers) {
		if *text != string(rune('a'+i)) {
			t.Errorf("text %d: %q", i, *text)
		}
	}
	if !got.headers.BucketKey || got.headers.Metadata["a"] != "b" {
		t.Errorf("got %+v", got.headers)
	}
}
