package storetest

import (
	"hash/crc32"

	"github.com/s3levelfs/s3levelfs/store"
)

// testGivenSums: a body whose writer tells its checksum is stored as it is, and refused when it has become another one.
func testGivenSums(e *env) {
	data, other := pattern(100_000, 3), pattern(100_000, 4)
	good := store.WithCRC32(e.Context(), crc32.ChecksumIEEE(data))
	if _, err := e.s.Put(good, e.key("object"), section(data), store.Headers{}, store.Cond{}); err != nil {
		e.Fatalf("put: %v", err)
	}
	e.wantObject("object", data)
	if _, err := e.s.Put(good, e.key("object"), section(other), store.Headers{}, store.Cond{}); (err == nil) != e.f.NoSums {
		e.Errorf("put of other bytes than told: %v", err)
	}
	if !e.f.NoSums {
		e.wantObject("object", data)
	}

	if !e.s.Limits().Multipart() {
		return
	}
	id := e.create("parts", store.Headers{})
	p, err := e.s.UploadPart(good, e.key("parts"), id, 1, section(data))
	if err != nil {
		e.Fatalf("part: %v", err)
	}
	if p.Checksum != "" && p.Checksum != crc(data) {
		e.Errorf("part: checksum %s, want %s", p.Checksum, crc(data))
	}
	if _, err := e.s.UploadPart(good, e.key("parts"), id, 1, section(other)); (err == nil) != e.f.NoSums {
		e.Errorf("part with other bytes than told: %v", err)
	}
	if e.f.NoSums {
		return
	}
	if _, err := e.s.Complete(e.Context(), e.key("parts"), id, []store.Part{p}, store.Cond{}); err != nil {
		e.Fatalf("complete: %v", err)
	}
	e.wantObject("parts", data)
}
