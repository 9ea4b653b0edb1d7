package storetest

import (
	"bytes"
	"slices"
	"strings"

	"github.com/s3levelfs/s3levelfs/store"
)

// testGetParts reads an object by the parts that it was uploaded in. Where the store says that it has checksums of the parts alone it
// must tell them.
func testGetParts(e *env) {
	size := e.s.Limits().MinPart
	data := [][]byte{pattern(size, 8), pattern(size, 9), pattern(777, 10)}
	id := e.create("k", store.Headers{})
	var parts []store.Part
	for i, d := range data {
		parts = append(parts, e.part("k", id, int32(i+1), d))
	}
	res, err := e.s.Complete(e.Context(), e.key("k"), id, parts, store.Cond{})
	if err != nil {
		e.Fatalf("complete: %v", err)
	}
	head, err := e.s.Head(e.Context(), e.key("k"), store.Cond{})
	if err != nil {
		e.Fatalf("head: %v", err)
	}
	if head.Composite && head.Checksum != "" {
		e.Errorf("composite, with a checksum of the whole: %s", head.Checksum)
	}
	pinned, off := store.Cond{IfMatch: res.ETag}, int64(0)
	whole := slices.Concat(data...)
	for i, d := range data {
		number := int32(i + 1)
		want := store.Range{Off: off, Len: int64(len(d)), Part: number}
		got, o, err := e.get("k", store.Range{Off: 5, Len: 6, Part: number}, pinned)
		switch {
		case err != nil:
			e.Errorf("get part %d: %v", number, err)
		case e.s.Limits().NoParts:
			if !bytes.Equal(got, whole) {
				e.Errorf("part %d: %d bytes, which are not the whole object", number, len(got))
			}
		case !bytes.Equal(got, d) || o.Part != want || o.Size != int64(len(whole)) || o.ETag != res.ETag:
			e.Errorf("part %d: %d bytes, %+v, want %+v of %d", number, len(got), o.Part, want, len(whole))
		case head.Composite && o.Checksum != "CRC32:"+crc(d), strings.HasPrefix(o.Checksum, "CRC32:") && o.Checksum != "CRC32:"+crc(d):
			e.Errorf("part %d: checksum %q, want that of its bytes %s", number, o.Checksum, crc(d))
		}
		off += int64(len(d))
	}
	if e.s.Limits().NoParts {
		return
	}
	_, _, err = e.get("k", store.Range{Part: 1}, store.Cond{IfMatch: `"0123456789abcdef0123456789abcdef-3"`})
	e.wantKind("get of a part of another version", err, store.ErrChanged)
	if _, _, err = e.get("k", store.Range{Part: 4}, pinned); err == nil {
		e.Error("get of a part that there is not succeeded")
	}
}
