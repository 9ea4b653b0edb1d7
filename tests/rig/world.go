package rig

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/s3levelfs/s3levelfs/store"
)

// World is a server, a proxy in front of it, a mount through the proxy and a client past it.
type World struct {
	*Mount
	Proxy   *Proxy
	Server  *Server
	Foreign store.Store
	Top     string // everything of it
	Options []string
}

// NewBucket is a World without a mount, in a directory that is there.
func NewBucket(t *testing.T, top string, options ...string) *World {
	t.Helper()
	server := StartServer(t, filepath.Join(top, "data"))
	return newWorld(t, top, server, server.Client(t), options)
}

// Beside is another machine at the same bucket, not mounted yet.
func (w *World) Beside(t *testing.T, options ...string) *World {
	t.Helper()
	return newWorld(t, t.TempDir(), w.Server, w.Foreign, options)
}

func newWorld(t *testing.T, top string, server *Server, foreign store.Store, options []string) *World {
	t.Helper()
	w := &World{Top: top, Server: server, Foreign: foreign, Proxy: StartProxy(t, server.Endpoint)}
	w.Options = append([]string{
		"--bucket", Bucket, "--endpoint", w.Proxy.Endpoint, "--path-style", "--identity-id", Identity,
	}, options...)
	return w
}

// NewWorld mounts a new bucket, with options besides those that say where it is.
func NewWorld(t *testing.T, options ...string) *World {
	t.Helper()
	w := NewBucket(t, t.TempDir(), options...)
	w.Remount(t)
	return w
}

// Remount takes the mount away, if there is one, and mounts, with more options: a new process, with an empty page cache.
func (w *World) Remount(t *testing.T, more ...string) {
	t.Helper()
	if w.Mount != nil && w.cmd != nil {
		w.Unmount(t)
	}
	w.Mount = MountAt(t, w.Top, w.Server.Env, append(append([]string{}, w.Options...), more...)...)
}

// DropCache empties the read cache on disk. It is not for a mounted World.
func (w *World) DropCache(t *testing.T) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(w.Top, "cache")); err != nil {
		t.Fatal(err)
	}
}

// Status is what `status --json` says of a mount, as far as T wants to know.
func Status[T any](t *testing.T, m *Mount) T {
	t.Helper()
	out, stderr, code := m.Run(t, "status", "--json", m.Dir)
	var all []T
	if err := json.Unmarshal([]byte(out), &all); err != nil || code != 0 || len(all) != 1 {
		t.Fatalf("status: exit %d, %v: %s%s", code, err, out, stderr)
	}
	return all[0]
}

// Memory is what the daemon has resident, now and at most, in bytes.
func (m *Mount) Memory(t *testing.T) (now, peak int64) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", m.PID()))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var n int64
		if found, _ := fmt.Sscanf(line, "VmRSS: %d kB", &n); found == 1 {
			now = n << 10
		}
		if found, _ := fmt.Sscanf(line, "VmHWM: %d kB", &n); found == 1 {
			peak = n << 10
		}
	}
	return now, peak
}
