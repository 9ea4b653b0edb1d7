package cache_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc64"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/cache"
	"github.com/s3levelfs/s3levelfs/store"
)

func TestBrokenBodyIsResumedAtTheMissingByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake()
		data, obj := s.put("k", 6*mib)
		s.body = func(_ context.Context, n int, r io.Reader) io.Reader {
			if n <= 3 {
				return cut(r, 1000)
			}
			return r
		}
		c := newCache(t, s, cache.Config{})
		if got := readAll(t, c, obj, 128<<10); !bytes.Equal(got, data) {
			t.Error("bytes differ")
		}
		want := []store.Range{store.All, {Off: 1000, Len: 6*mib - 1000}, {Off: 2000, Len: 6*mib - 2000}, {Off: 3000, Len: 6*mib - 3000}}
		if diff := cmp.Diff(want, s.requests()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestTriesAreBounded(t *testing.T) {
	tests := map[string]struct {
		body func(ctx context.Context, n int, r io.Reader) io.Reader
		fail func(ctx context.Context, n int) error
		gets int64
		kind error
	}{
		"breaks at once": {
			body: func(context.Context, int, io.Reader) io.Reader { return broken{} }, gets: 4, kind: store.ErrTransient,
		},
		"ends early in silence": {
			body: func(context.Context, int, io.Reader) io.Reader { return bytes.NewReader(nil) }, gets: 4, kind: store.ErrTransient,
		},
		"never sends a byte": {
			body: func(ctx context.Context, _ int, _ io.Reader) io.Reader { return stalled{ctx} }, gets: 4, kind: store.ErrTransient,
		},
		"never answers": {
			fail: func(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() }, gets: 1, kind: store.ErrTransient,
		},
		"denied": {
			fail: func(context.Context, int) error { return &store.Error{Op: "get", Kind: store.ErrPermission} }, gets: 1, kind: store.ErrPermission,
		},
		"retried by the provider already": {
			fail: func(context.Context, int) error { return &store.Error{Op: "get", Kind: store.ErrTransient} }, gets: 1, kind: store.ErrTransient,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFake()
				_, obj := s.put("k", 6*mib)
				s.body, s.fail = tt.body, tt.fail
				c := newCache(t, s, cache.Config{})
				began := time.Now()
				_, err := c.ReadAt(t.Context(), obj, new(cache.Stream), make([]byte, 4096), 0)
				if !errors.Is(err, tt.kind) {
					t.Errorf("got %v, want %v", err, tt.kind)
				}
				if took := time.Since(began); took > 20*time.Second {
					t.Errorf("took %v", took)
				}
				if got := c.Stats().Gets; got != tt.gets {
					t.Errorf("%d requests, want %d", got, tt.gets)
				}
				s.mu.Lock()
				s.body, s.fail = nil, nil
				s.mu.Unlock()
				if _, err := c.ReadAt(t.Context(), obj, new(cache.Stream), make([]byte, 4096), 0); err != nil {
					t.Errorf("once the store is back: %v", err)
				}
			})
		})
	}
}

// A slow body that keeps sending is not given up.
func TestSlowBodyIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake()
		data, obj := s.put("k", 60_000)
		s.body = func(_ context.Context, _ int, r io.Reader) io.Reader { return slow{r} }
		c := newCache(t, s, cache.Config{})
		buf := make([]byte, len(data))
		if _, err := c.ReadAt(t.Context(), obj, nil, buf, 0); err != nil || !bytes.Equal(buf, data) {
			t.Error(err)
		}
		if n := len(s.requests()); n != 1 {
			t.Errorf("%d requests", n)
		}
	})
}

// slow sends 1,000 bytes every 4 s.
type slow struct{ io.Reader }

func (s slow) Read(p []byte) (int, error) {
	time.Sleep(4 * time.Second)
	return s.Reader.Read(p[:min(len(p), 1000)])
}

// flipped changes one byte of the body.
func flipped(r io.Reader) io.Reader {
	data, _ := io.ReadAll(r)
	data = bytes.Clone(data)
	data[len(data)/2] ^= 4
	return bytes.NewReader(data)
}

func TestFlippedBytes(t *testing.T) {
	crc := crc64.New(crc64.MakeTable(0x9a6c9329ac4bc9b5))
	tests := map[string]struct {
		change  func(data []byte, o *fakeObject)
		checked bool
	}{
		"MD5 ETag":        {func([]byte, *fakeObject) {}, true},
		"SSE-S3":          {func(_ []byte, o *fakeObject) { o.headers = &store.Headers{SSE: "AES256"} }, true},
		"SSE-KMS":         {func(_ []byte, o *fakeObject) { o.headers = &store.Headers{SSE: "aws:kms"} }, false},
		"headers unknown": {func(_ []byte, o *fakeObject) { o.headers = nil }, false},
		"multipart ETag":  {func(_ []byte, o *fakeObject) { o.etag = `"0123456789abcdef0123456789abcdef-2"` }, false},
		"upper case ETag": {func(_ []byte, o *fakeObject) { o.etag = upper(o.etag) }, false},
		"CRC64NVME": {func(data []byte, o *fakeObject) {
			crc.Reset()
			crc.Write(data)
			o.etag = `"opaque"`
			o.sum = "CRC64NVME:" + base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, crc.Sum64()))
		}, true},
		"composite checksum": {func(_ []byte, o *fakeObject) {
			o.etag, o.sum = `"opaque"`, "CRC32:AAAAAA==-2"
		}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for _, bad := range []int{1, 2} { // answers that are flipped
				s := newFake()
				data, obj := s.put("k", 700_000)
				s.set("k", func(o *fakeObject) { tt.change(data, o); obj.ETag = o.etag })
				s.body = func(_ context.Context, n int, r io.Reader) io.Reader {
					if n <= bad {
						return flipped(r)
					}
					return r
				}
				c := newCache(t, s, cache.Config{})
				buf := make([]byte, len(data))
				_, err := c.ReadAt(t.Context(), obj, nil, buf, 0)
				switch {
				case !tt.checked:
					if err != nil || len(s.requests()) != 1 {
						t.Errorf("not to be checked: %v, %d requests", err, len(s.requests()))
					}
				case bad == 1:
					if err != nil || !bytes.Equal(buf, data) {
						t.Errorf("flipped once: %v", err)
					}
				default:
					if !errors.Is(err, cache.ErrCorrupt) {
						t.Errorf("flipped twice: %v", err)
					}
					if _, err := c.ReadAt(t.Context(), obj, nil, buf, 0); err != nil || !bytes.Equal(buf, data) {
						t.Errorf("the third answer is right: %v", err)
					}
				}
				if got := c.Stats().Corrupt; tt.checked && got != int64(bad) {
					t.Errorf("counted %d", got)
				}
			}
		})
	}
}

// The catalogue value of CRC-64/NVME: the hash is the one that S3 means.
func TestCRC64NVME(t *testing.T) {
	if got := crc64.Checksum([]byte("123456789"), crc64.MakeTable(0x9a6c9329ac4bc9b5)); got != 0xae8b14860a799888 {
		t.Errorf("got %x", got)
	}
}
