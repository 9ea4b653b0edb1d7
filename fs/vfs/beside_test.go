package vfs_test

import (
	"bytes"
	"fmt"
	"sync"
	"syscall"
	"testing"
)

// TestOpensBesideCommits: whoever opens a file while it is replaced and committed again and again gets one whole
// version, and its attributes, and no error.
func TestOpensBesideCommits(t *testing.T) {
	e := newEnv(t, envConfig{})
	defer e.close(t)
	version := func(i int) []byte { return bytes.Repeat([]byte{byte('a' + i%26)}, 100+i%50) }
	writeFile(t, e.fs, "public/f", version(0))
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := readWhole(e); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 90 {
		tmp := fmt.Sprintf("public/tmp%d", i%3)
		writeFile(t, e.fs, tmp, version(i))
		must(t, e.fs.Rename(bg(), tmp, "public/f", 0))
		if i%3 == 0 {
			e.drain(t)
		}
	}
	close(stop)
	readers.Wait()
}

func readWhole(e *env) error {
	h, err := e.fs.Open(bg(), "public/f", syscall.O_RDONLY)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer func() { _ = h.Release(bg()) }() // a read handle has nothing to lose
	if _, err := h.Stat(bg()); err != nil {
		return fmt.Errorf("fstat: %w", err)
	}
	buf := make([]byte, 1000)
	n, err := h.ReadAt(bg(), buf, 0)
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	if n < 100 || len(bytes.Trim(buf[:n], string(buf[:1]))) > 0 {
		return fmt.Errorf("%d bytes of no one version: %q", n, buf[:n])
	}
	return nil
}
