package spool_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/s3levelfs/s3levelfs/internal/frame"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// FuzzRecover opens a spool with any bytes in its log, one segment and one data file.
func FuzzRecover(f *testing.F) {
	dir := f.TempDir()
	s, _ := open(f, config(dir))
	stored(f, s, "sealed", inlineData(1))
	stored(f, s, "large", ownData(1))
	write(f, create(f, s, "unsealed"), inlineData(2), 10)
	for _, r := range allRecords() {
		check(f, s.Append(r))
	}
	var files [2][]byte
	for i, path := range storageFiles(f, dir) {
		b, err := os.ReadFile(path)
		check(f, err)
		files[i] = b[:min(len(b), 4096)]
	}
	log, err := os.ReadFile(filepath.Join(dir, "ns.log"))
	check(f, err, s.Close())
	f.Add(log[frame.FileHeaderSize:], files[0], files[1])
	f.Add(log[frame.FileHeaderSize:len(log)/2], files[0][:100], []byte{})
	f.Add([]byte{}, []byte{}, []byte{})

	logHeader := log[:frame.FileHeaderSize]
	f.Fuzz(func(t *testing.T, log, segment, data []byte) {
		dir := fastDir(t)
		check(t, os.MkdirAll(filepath.Join(dir, "seg"), 0o700), os.MkdirAll(filepath.Join(dir, "data"), 0o700))
		check(t, os.WriteFile(filepath.Join(dir, "ns.log"), slices.Concat(logHeader, fixed(log)), 0o600))
		check(t, os.WriteFile(filepath.Join(dir, "seg", "0000000000000001.seg"), fixed(segment), 0o600))
		check(t, os.WriteFile(filepath.Join(dir, "data", "0000000000000002-large"), data, 0o600))
		s, rec := open(t, config(dir))
		for _, r := range rec.Records {
			if c, err := s.Adopt(r.Gen, r.Size, r.Extents); err == nil {
				_, _ = c.ReadAt(make([]byte, 1000), 0, readBase) // whatever it is: no panic
				c.Release()
			}
		}
		for _, c := range rec.Unsealed {
			_, _ = c.ReadAt(make([]byte, 1000), 0, readBase)
			c.Release()
		}
		check(t, s.Recovered(), s.Append(&spool.Record{Type: spool.TypeMkdir}), s.Close())
		s, again := open(t, config(dir))
		if want := 1; rec.SameBoot && len(again.Records) != len(rec.Records)+want {
			t.Errorf("%d records, then %d", len(rec.Records), len(again.Records))
		}
		check(t, s.Close())
	})
}

// fixed gives frames their checksum, so that the fuzzer gets behind it.
func fixed(b []byte) []byte {
	out := append([]byte(nil), b...)
	for at := 0; at+frame.HeaderSize <= len(out); {
		n := int(out[at]) | int(out[at+1])<<8
		out[at+2], out[at+3] = 0, 0
		end := min(at+frame.HeaderSize+n, len(out))
		frame.End(out[:end], at, out[at+8])
		at = end
	}
	return out
}
