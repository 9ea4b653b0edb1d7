package s3store

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/s3levelfs/s3levelfs/store"
)

// counted is a connection that counts what is written at once.
type counted struct {
	net.Conn
	writes *atomic.Int64
}

func (c counted) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

// countingStore is a store on server whose connections count their writes.
func countingStore(t *testing.T, server *httptest.Server) (*Store, *atomic.Int64) {
	t.Helper()
	writes := &atomic.Int64{}
	tr := newTransport(endpoint{}, Timeouts{}.withDefaults())
	dial := tr.DialContext
	tr.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		return counted{conn, writes}, err
	}
	s, err := New(t.Context(), Config{
		Bucket: "bucket", Region: "us-east-1", Endpoint: server.URL, PathStyle: true,
		Credentials: Static("AKIDEXAMPLE", "secret", ""), Transport: tr,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, writes
}

// TestSmallBodyIsOneWrite: head and body of a small upload leave by one system call, and arrive as they are.
func TestSmallBodyIsOneWrite(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 4 << 10, wholeBody, wholeBody + 1, 1 << 20} {
		data := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
		var got []byte
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got, _ = io.ReadAll(r.Body)
			w.Header().Set("ETag", `"e"`)
		}))
		s, writes := countingStore(t, server)
		if _, err := s.Put(t.Context(), "k", io.NewSectionReader(bytes.NewReader(data), 0, int64(size)), store.Headers{}, store.Cond{}); err != nil {
			t.Error(err)
		}
		server.Close()
		if !bytes.Equal(got, data) {
			t.Errorf("%d bytes arrived of %d", len(got), size)
		}
		if n := writes.Load(); (n == 1) != (size <= wholeBody) {
			t.Errorf("%d bytes by %d writes", size, n)
		}
	}
}

var errDisk = errors.New("the disk is broken")

type brokenDisk struct{ after int64 }

func (d brokenDisk) ReadAt(p []byte, off int64) (int, error) {
	if off >= d.after {
		return 0, errDisk
	}
	return min(len(p), int(d.after-off)), nil
}

// TestUnreadableSmallBody: a body that can not be read sends nothing, so that nobody has to ask whether it arrived.
func TestUnreadableSmallBody(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer server.Close()
	s, writes := countingStore(t, server)
	ctx := store.WithCRC32(t.Context(), 1) // else the body is read before, for its checksum
	_, err := s.Put(ctx, "k", io.NewSectionReader(brokenDisk{100}, 0, 4096), store.Headers{}, store.Cond{})
	if !errors.Is(err, store.ErrTransient) || !errors.Is(err, errDisk) || store.Unanswered(err) {
		t.Errorf("%v", err)
	}
	if writes.Load() != 0 || asked.Load() != 0 {
		t.Errorf("%d writes, %d requests", writes.Load(), asked.Load())
	}
}
