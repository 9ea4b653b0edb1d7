package faults

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/tests/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

// world is a mounted bucket.
type world struct{ *rig.World }

func newWorld(t *testing.T, options ...string) *world {
	t.Helper()
	return &world{rig.NewWorld(t, options...)}
}

// remount takes the mount away and mounts again with an empty cache.
func (w *world) remount(t *testing.T) {
	t.Helper()
	w.Unmount(t)
	w.DropCache(t)
	w.Remount(t)
}

func (w *world) path(elem ...string) string {
	return filepath.Join(append([]string{w.Dir}, elem...)...)
}

// status is the part of `status --json` that tests look at.
type status struct {
	Uploads struct {
		Queued, Sending, Failed int
		Items                   []struct{ Key, State, Error string }
	}
	SpoolFree int64 `json:"spool_free"`
	Cache     cacheStatus
	Requests  struct {
		LastError string `json:"last_error"`
	}
}

// cacheStatus is the read cache's part of it.
type cacheStatus struct {
	Unverified, Corrupt, Bytes, Held int64
}

func (w *world) cacheStatus(t *testing.T) cacheStatus {
	t.Helper()
	return w.status(t).Cache
}

func (w *world) status(t *testing.T) status {
	t.Helper()
	return rig.Status[status](t, w.Mount)
}

// within waits until ok holds, and fails the test after the limit.
func within(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", limit, what)
		}
		<-time.After(50 * time.Millisecond) // another process is being watched: there is nothing to wait on
	}
}

// shell runs a line under a limit, in a process of its own.
func shell(t *testing.T, limit time.Duration, line string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit+5*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "timeout", "--kill-after=2", fmt.Sprint(limit.Seconds()), "sh", "-c", line)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState != nil && (cmd.ProcessState.ExitCode() == 124 || cmd.ProcessState.ExitCode() == 137) {
		t.Fatalf("hung for %v: %s\n%s", limit, line, out)
	}
	return string(out), err
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	p, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(p)
}

// foreignPut replaces an object past the mount.
func (w *world) foreignPut(t *testing.T, key, text string, h store.Headers) {
	t.Helper()
	if _, err := w.Foreign.Put(t.Context(), key, rig.Body(text), h, store.Cond{}); err != nil {
		t.Fatal(err)
	}
}

// stored returns the bytes of an object past the mount, "" and false when it is absent.
func (w *world) stored(t *testing.T, key string) (string, bool) {
	t.Helper()
	p, err := os.ReadFile(filepath.Join(w.Server.Data, rig.Bucket, filepath.FromSlash(key)))
	if os.IsNotExist(err) {
		return "", false
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(p), true
}

// keys lists the objects below a prefix past the mount.
func (w *world) keys(t *testing.T, prefix string) []string {
	t.Helper()
	var keys []string
	for page, err := range w.Foreign.List(t.Context(), prefix, store.ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Objects {
			if !strings.HasSuffix(o.Key, "/") {
				keys = append(keys, o.Key)
			}
		}
	}
	return keys
}
