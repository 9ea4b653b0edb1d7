package cache_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/cache"
)

// flipAt changes the byte at an offset of the object in the bodies that on allows.
func flipAt(s *fakeStore, at int64, on func() bool) {
	s.body = func(_ context.Context, n int, r io.Reader) io.Reader {
		off := s.gets[n-1].Off
		if !on() {
			return r
		}
		return &flipper{r: r, left: at - off}
	}
}

type flipper struct {
	r    io.Reader
	left int64
}

func (f *flipper) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if f.left >= 0 && f.left < int64(n) {
		p[f.left] ^= 4
	}
	f.left -= int64(n)
	return n, err
}

// vouchers are what a large object can be verified by.
var vouchers = map[string]func(data []byte, o *fakeObject){
	"MD5 ETag": func([]byte, *fakeObject) {},
	"CRC32 of a multipart object": func(data []byte, o *fakeObject) {
		o.etag = `"0123456789abcdef0123456789abcdef-8"`
		o.sum = "CRC32:" + base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(data)))
	},
}

// TestLargeObjectIsVerifiedAsItStreams: a bit of a 64 MiB object is flipped. Its readers get an error before the last 8 MiB; nothing of
// it stays cached, reads elsewhere are errors, too, until it was read anew and found right.
func TestLargeObjectIsVerifiedAsItStreams(t *testing.T) {
	const size = 64 * mib
	for name, vouch := range vouchers {
		for _, at := range []int64{0, 30*mib + 5, size - 1} {
			s := newFake()
			data, obj := s.put("k", size)
			s.set("k", func(o *fakeObject) { vouch(data, o); obj.ETag = o.etag })
			var wrong atomic.Bool
			wrong.Store(true)
			flipAt(s, at, wrong.Load)
			var told []string
			c := newCache(t, s, cache.Config{Corrupted: func(key, _ string) { told = append(told, key) }})
			for range 2 { // always: always an error
				n, err := readTo(t, c, obj)
				if !errors.Is(err, cache.ErrCorrupt) || n > size-8*mib {
					t.Errorf("%s, bit of byte %d: %d bytes, then %v", name, at, n, err)
				}
				if st := c.Stats(); st.Bytes != 0 {
					t.Errorf("%s: %d bytes of it stay cached", name, st.Bytes)
				}
				for _, off := range []int64{1, 20 * mib, size - mib} {
					if _, err := c.ReadAt(t.Context(), obj, nil, make([]byte, 4096), off); !errors.Is(err, cache.ErrCorrupt) {
						t.Errorf("%s: at %d afterwards: %v", name, off, err)
					}
				}
			}
			for what, read := range map[string]func(p []byte) (int, error){
				"on its own": func(p []byte) (int, error) { return c.ReadAt(t.Context(), obj, nil, p, 0) },
				"once":       func(p []byte) (int, error) { return c.ReadOnce(t.Context(), obj, p, 0) },
			} {
				if _, err := read(make([]byte, 4096)); !errors.Is(err, cache.ErrCorrupt) {
					t.Errorf("%s: a read %s of the beginning: %v", name, what, err)
				}
			}
			if got := c.Verified(obj); got != "wrong" || len(told) != 2 {
				t.Errorf("%s: %q, told %q", name, got, told)
			}
			wrong.Store(false)
			if n, err := readTo(t, c, obj); err != nil || n != size {
				t.Errorf("%s: bytes are right again: %d, %v", name, n, err)
			}
			heads := s.heads
			if got := c.Verified(obj); got != "yes" || c.Stats().Unverified != 0 {
				t.Errorf("%s: %q", name, got)
			}
			if n, err := readTo(t, c, obj); err != nil || n != size || s.heads != heads {
				t.Errorf("%s: %d, %v, %d more HEADs", name, n, err, s.heads-heads)
			}
			c.Close()
		}
	}
}

// readTo reads obj from its beginning as the kernel does, and says how far it came.
func readTo(t *testing.T, c *cache.Cache, obj cache.Object) (int64, error) {
	t.Helper()
	var stream cache.Stream
	buf := make([]byte, mib)
	for off := int64(0); ; {
		n, err := c.ReadAt(t.Context(), obj, &stream, buf, off)
		off += int64(n)
		if errors.Is(err, io.EOF) {
			return off, nil
		}
		if err != nil {
			return off, err
		}
	}
}

// TestVerificationOfReadsThatOvertake: the kernel has several reads under way.
func TestVerificationOfReadsThatOvertake(t *testing.T) {
	for _, flip := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			const size = 40*mib + 12345
			s := newFake()
			lat.set(s)
			data, obj := s.put("k", size)
			if flip {
				flipAt(s, 10*mib, func() bool { return true })
			}
			c := newCache(t, s, cache.Config{})
			var (
				stream  cache.Stream
				all     sync.WaitGroup
				refused atomic.Int64
			)
			for off := int64(0); off < size; off += 256 << 10 {
				if off%mib == 0 || off == 256<<10 {
					all.Wait() // the kernel is at most so far ahead of the program, whose first read is alone
				}
				all.Go(func() {
					buf := make([]byte, 256<<10)
					n, err := c.ReadAt(t.Context(), obj, &stream, buf, off)
					switch {
					case errors.Is(err, cache.ErrCorrupt):
						refused.Add(1)
					case err != nil && !errors.Is(err, io.EOF):
						t.Errorf("at %d: %v", off, err)
					case flip && off > size-8*mib:
						t.Errorf("%d bytes at %d of a wrong object", n, off)
					case !flip && !bytes.Equal(buf[:n], data[off:][:n]):
						t.Errorf("bytes differ at %d", off)
					}
				})
			}
			all.Wait()
			want := "yes"
			if flip {
				want = "wrong"
			}
			if got := c.Verified(obj); got != want || (refused.Load() > 0) != flip {
				t.Errorf("%q, want %q; %d reads refused", got, want, refused.Load())
			}
			time.Sleep(time.Minute)
			if st := c.Stats(); st.Held != st.Bytes {
				t.Errorf("something is still held: %+v", st)
			}
		})
	}
}

// TestWhatNothingVouchesForIsSaid: such reads succeed and are counted.
func TestWhatNothingVouchesForIsSaid(t *testing.T) {
	s := newFake()
	data, obj := s.put("parts", 20*mib)
	s.set("parts", func(o *fakeObject) { o.etag = `"0123456789abcdef0123456789abcdef-4"`; obj.ETag = o.etag })
	denied, deniedObj := s.put("denied", 20*mib)
	small, smallObj := s.put("small", 1000)
	c := newCache(t, s, cache.Config{})
	if got := c.Verified(obj); got != "" {
		t.Errorf("unread: %q", got)
	}
	if got := readAll(t, c, obj, mib); !bytes.Equal(got, data) {
		t.Error("bytes differ")
	}
	s.noHead = true
	if got := readAll(t, c, deniedObj, mib); !bytes.Equal(got, denied) {
		t.Error("bytes differ")
	}
	if got := readAll(t, c, smallObj, mib); !bytes.Equal(got, small) {
		t.Error("bytes differ")
	}
	if a, b, d := c.Verified(obj), c.Verified(deniedObj), c.Verified(smallObj); a != "no" || b != "no" || d != "yes" {
		t.Errorf("%q, %q, %q", a, b, d)
	}
	if st := c.Stats(); st.Unverified != 2 {
		t.Errorf("%d are counted", st.Unverified)
	}
}

// TestReadersThatLeaveEndTheirVerification: others go on being verified, however many have read a beginning and left.
func TestReadersThatLeaveEndTheirVerification(t *testing.T) {
	s := newFake()
	c := newCache(t, s, cache.Config{})
	data, first := s.put("k0", 9*mib)
	for i := range 400 {
		key := fmt.Sprint("k", i)
		s.set(key, func(o *fakeObject) { *o = s.objects["k0"] })
		obj := first
		obj.Key = key
		var stream cache.Stream
		for off := int64(0); off < 2*mib; off += mib / 2 {
			if _, err := c.ReadAt(t.Context(), obj, &stream, make([]byte, mib/2), off); err != nil {
				t.Fatal(err)
			}
		}
	}
	_, last := s.put("last", 9*mib)
	if got := readAll(t, c, last, mib); len(got) != len(data) {
		t.Errorf("%d bytes", len(got))
	}
	if got := c.Verified(last); got != "yes" {
		t.Errorf("verified: %q", got)
	}
}
