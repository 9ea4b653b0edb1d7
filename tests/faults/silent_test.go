package faults

import (
	"errors"
	"net/http"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestSilentGet: a server that takes GETs and never answers, or stops in the middle of a body: EIO
// within 20 s for each read(2), whatever the kernel asks for again.
func TestSilentGet(t *testing.T) {
	w := newWorld(t)
	write(t, w.path("private", "small"), "text")
	write(t, w.path("public", "there"), string(make([]byte, 3<<20)))
	w.remount(t)
	for _, name := range []string{w.path("public", "there"), w.path("private", "small")} {
		if _, err := os.Stat(name); err != nil {
			t.Fatal(err)
		}
	}
	w.Proxy.SetJudge(func(r *http.Request) int {
		if r.Method == http.MethodGet && r.URL.Query().Get("list-type") == "" {
			<-r.Context().Done()
		}
		return 0
	})
	for _, name := range []string{w.path("public", "there"), w.path("private", "small")} {
		start := time.Now()
		_, err := os.ReadFile(name)
		took := time.Since(start)
		if !errors.Is(err, unix.EIO) || took > 20*time.Second {
			t.Errorf("%s: %v after %v", name, err, took)
		}
	}
	w.Proxy.SetJudge(nil)
	w.Unmount(t)
}
