package faults

import (
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/tests/rig"
)

// refuse answers requests of a method (and of a kind of GET) with a status.
func refuse(method string, list bool, status int) func(*http.Request) int {
	return func(r *http.Request) int {
		isList := r.Method == http.MethodGet && strings.Trim(r.URL.Path, "/") == rig.Bucket
		if r.Method == method && isList == list {
			return status
		}
		return 0
	}
}

func TestPutDeniedIsEACCESAtOpen(t *testing.T) {
	w := newWorld(t)
	w.Proxy.SetJudge(refuse(http.MethodPut, false, http.StatusForbidden))
	if err := os.WriteFile(w.path("public", "x"), nil, 0o644); !errors.Is(err, unix.EACCES) {
		t.Errorf("create: %v, want EACCES", err)
	}
	w.Proxy.SetJudge(nil)
	w.Unmount(t)
}

func TestPutRevokedLater(t *testing.T) {
	w := newWorld(t)
	write(t, w.path("public", "a"), "a")
	if _, stderr, code := w.Run(t, "sync", w.Dir); code != 0 {
		t.Fatal(stderr)
	}
	w.Proxy.SetJudge(refuse(http.MethodPut, false, http.StatusForbidden))
	write(t, w.path("public", "b"), "b") // closed before anybody knew
	within(t, 30*time.Second, "failed in status", func() bool { return w.status(t).Uploads.Failed == 1 })
	if err := os.WriteFile(w.path("public", "c"), nil, 0o644); !errors.Is(err, unix.EACCES) {
		t.Errorf("the next open: %v, want EACCES", err)
	}
	if got := read(t, w.path("public", "b")); got != "b" {
		t.Errorf("the failed file reads %q", got)
	}
	if _, stderr, code := w.Run(t, "sync", "--timeout", "5s", w.Dir); code != 75 || !strings.Contains(stderr, "denied") && !strings.Contains(stderr, "permission") {
		t.Errorf("sync: exit %d: %s", code, stderr)
	}
	w.Proxy.SetJudge(nil)
	within(t, 90*time.Second, "uploaded after the right is back", func() bool {
		got, _ := w.stored(t, "public/b")
		return got == "b"
	})
	w.Unmount(t)
}

func TestPutFailingForGood(t *testing.T) {
	w := newWorld(t)
	write(t, w.path("public", "first"), "proves the level")
	if _, stderr, code := w.Run(t, "sync", w.Dir); code != 0 {
		t.Fatal(stderr)
	}
	for _, status := range []int{http.StatusInternalServerError, http.StatusServiceUnavailable} {
		w.Proxy.SetJudge(refuse(http.MethodPut, false, status))
		write(t, w.path("public", "x"), "kept")
		within(t, 30*time.Second, "failed in status", func() bool { return w.status(t).Uploads.Failed == 1 })
		if _, stderr, code := w.Run(t, "sync", w.Dir); code != 75 || !strings.Contains(stderr, "1 change") {
			t.Errorf("sync: exit %d: %s", code, stderr)
		}
		w.Proxy.SetJudge(nil)
		within(t, 60*time.Second, "uploaded at last", func() bool { return w.status(t).Uploads.Failed == 0 })
		if err := os.Remove(w.path("public", "x")); err != nil {
			t.Error(err)
		}
	}
	w.Unmount(t)
}

func TestListFailing(t *testing.T) {
	for _, tt := range []struct {
		status int
		want   error
	}{
		{http.StatusForbidden, unix.EACCES},
		{http.StatusInternalServerError, unix.EIO},
		{http.StatusServiceUnavailable, unix.EIO},
	} {
		w := newWorld(t, "--metadata-ttl", "0s")
		write(t, w.path("public", "there"), "there")
		w.remount(t)
		w.Proxy.SetJudge(refuse(http.MethodGet, true, tt.status))
		start := time.Now()
		if _, err := os.ReadDir(w.path("public")); !errors.Is(err, tt.want) {
			t.Errorf("LIST %d: readdir gives %v, want %v", tt.status, err, tt.want)
		}
		if _, err := os.Stat(w.path("public", "there")); !errors.Is(err, tt.want) {
			t.Errorf("LIST %d: stat gives %v, want %v", tt.status, err, tt.want)
		}
		if took := time.Since(start); took > 40*time.Second {
			t.Errorf("LIST %d: two calls took %v", tt.status, took)
		}
		w.Proxy.SetJudge(nil)
		within(t, 10*time.Second, "back again", func() bool { _, err := os.Stat(w.path("public", "there")); return err == nil })
		w.Unmount(t)
	}
}

func TestGetFailing(t *testing.T) {
	for _, tt := range []struct {
		status int
		want   error
	}{
		{http.StatusForbidden, unix.EACCES},
		{http.StatusInternalServerError, unix.EIO},
		{http.StatusServiceUnavailable, unix.EIO},
	} {
		w := newWorld(t)
		write(t, w.path("public", "there"), "there")
		write(t, w.path("public", "other"), "other")
		w.remount(t)
		_ = read(t, w.path("public", "other"))
		w.Proxy.SetJudge(refuse(http.MethodGet, false, tt.status))
		start := time.Now()
		if _, err := os.ReadFile(w.path("public", "there")); !errors.Is(err, tt.want) {
			t.Errorf("GET %d: read gives %v, want %v", tt.status, err, tt.want)
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("GET %d: took %v", tt.status, took)
		}
		if got := read(t, w.path("public", "other")); got != "other" {
			t.Errorf("a cached file reads %q", got)
		}
		w.Proxy.SetJudge(nil)
		if got := read(t, w.path("public", "there")); got != "there" {
			t.Errorf("afterwards %q", got)
		}
		w.Unmount(t)
	}
}
