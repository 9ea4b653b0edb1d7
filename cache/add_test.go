package cache_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"testing"

	"github.com/s3levelfs/s3levelfs/cache"
)

// TestAddSavesTheRequest: what this process has stored is read without asking for it, sequentially and at random.
func TestAddSavesTheRequest(t *testing.T) {
	for _, size := range []int{1, 4095, 4096, 128 << 10, 128<<10 + 1, 700_001, cache.AddMax} {
		s := newFake()
		data, obj := s.put("k", size)
		c := newCache(t, s, cache.Config{})
		if err := c.Add(obj, bytes.NewReader(data)); err != nil {
			t.Fatal(err)
		}
		if got := readAll(t, c, obj, 128<<10); !bytes.Equal(got, data) {
			t.Errorf("size %d: bytes differ", size)
		}
		p := make([]byte, min(size, 100))
		if _, err := c.ReadAt(t.Context(), obj, nil, p, int64(size-len(p))); err != nil || !bytes.Equal(p, data[size-len(p):]) {
			t.Errorf("size %d: the end differs, or %v", size, err)
		}
		if n := len(s.requests()); n != 0 {
			t.Errorf("size %d: %d requests", size, n)
		}
	}
}

// TestAddLeavesOtherVersionsAlone: another ETag is other bytes, and without one nobody knows.
func TestAddLeavesOtherVersionsAlone(t *testing.T) {
	s := newFake()
	data, obj := s.put("k", 1000)
	other, unnamed := obj, obj
	other.ETag, unnamed.ETag = `"other"`, ""
	c := newCache(t, s, cache.Config{})
	for _, o := range []cache.Object{other, unnamed} {
		if err := c.Add(o, bytes.NewReader(make([]byte, 1000))); err != nil {
			t.Fatal(err)
		}
	}
	if got := readAll(t, c, obj, 1000); !bytes.Equal(got, data) {
		t.Error("bytes of another version")
	}
}

// TestAddLeavesRoomForWhatIsRead: however much is written, it takes a sixteenth of the memory, and the newest of it is there.
func TestAddLeavesRoomForWhatIsRead(t *testing.T) {
	const memory, n = 32 * mib, 3000
	s := newFake()
	c := newCache(t, s, cache.Config{Memory: memory})
	read, readObj := s.put("read", 8*mib)
	readAll(t, c, readObj, mib)
	var last cache.Object
	var bytesOf []byte
	for i := range n {
		data, obj := s.put(fmt.Sprint("written", i), 1000+i%7)
		if err := c.Add(obj, bytes.NewReader(data)); err != nil {
			t.Fatal(err)
		}
		last, bytesOf = obj, data
	}
	if got := c.Stats().Bytes; got > 8*mib+64*512+memory/16 || got < 8*mib+memory/32 {
		t.Errorf("%d bytes are cached", got)
	}
	before := len(s.requests())
	if got := readAll(t, c, readObj, mib); !bytes.Equal(got, read) {
		t.Error("bytes differ")
	}
	if got := readAll(t, c, last, 1000); !bytes.Equal(got, bytesOf) {
		t.Error("bytes of the newest differ")
	}
	if got := len(s.requests()) - before; got != 0 {
		t.Errorf("%d requests", got)
	}
}

// TestAddRefuses what it can not use, without harm.
func TestAddRefuses(t *testing.T) {
	s := newFake()
	data, obj := s.put("k", 1000)
	_, large := s.put("large", cache.AddMax+1)
	c := newCache(t, s, cache.Config{})
	if err := c.Add(large, nil); err != nil { // not even read
		t.Error(err)
	}
	if err := c.Add(obj, bytes.NewReader(data[:999])); !errors.Is(err, io.EOF) {
		t.Errorf("bytes are missing: %v", err)
	}
	if got := readAll(t, c, obj, 1000); !bytes.Equal(got, data) {
		t.Error("bytes differ")
	}
	c.Close()
	if err := c.Add(obj, bytes.NewReader(data)); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}
