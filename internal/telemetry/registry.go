package telemetry

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// Mount is a running mount as the registry has it.
type Mount struct {
	Mountpoint string `json:"mountpoint"` // absolute
	Socket     string `json:"socket"`
	PID        int    `json:"pid"`
	Bucket     string `json:"bucket"`
	Identity   string `json:"identity"`
	State      string `json:"state_dir"`
}

// Registry is the directory that names the running mounts of one user.
type Registry struct{ dir string }

// NewRegistry uses dir, which it makes when needed. A directory that belongs
// to somebody else is refused: it could name a socket that steals requests.
func NewRegistry(dir string) (*Registry, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("registry of mounts: %w", err)
	}
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return nil, fmt.Errorf("registry of mounts: %w", err)
	}
	if int(st.Uid) != os.Getuid() || st.Mode&0o022 != 0 {
		return nil, fmt.Errorf("registry of mounts: %s belongs to somebody else or others can write to it: remove it, or set XDG_RUNTIME_DIR", dir)
	}
	return &Registry{dir: dir}, nil
}

func (r *Registry) file(mountpoint string) string {
	sum := sha256.Sum256([]byte(mountpoint))
	return filepath.Join(r.dir, hex.EncodeToString(sum[:10])+".json")
}

// Add names a mount; one at the same place is replaced.
func (r *Registry) Add(m Mount) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return renameio.WriteFile(r.file(m.Mountpoint), text, 0o600)
}

// Remove forgets a mount if pid is the one that added it.
func (r *Registry) Remove(mountpoint string, pid int) error {
	m, err := read(r.file(mountpoint))
	if errors.Is(err, fs.ErrNotExist) || err == nil && m.PID != pid {
		return nil
	}
	if err != nil {
		return err
	}
	return os.Remove(r.file(mountpoint))
}

func read(path string) (Mount, error) {
	var m Mount
	text, err := os.ReadFile(path)
	if err != nil {
		return m, err
	}
	return m, json.Unmarshal(text, &m)
}

// gone tells whether a process has ended, waited for by its parent or not.
func gone(pid int) bool {
	if errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
		return true
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	// The state follows the program's name, which may hold any byte. Source: proc(5).
	_, state, ok := strings.Cut(string(stat[bytes.LastIndexByte(stat, ')')+1:]), " ")
	return ok && strings.HasPrefix(state, "Z")
}

// mounted tells whether some file system of the kind is mounted at path, served or not.
func mounted(path string) bool {
	found, err := mountinfo.GetMounts(mountinfo.SingleEntryFilter(path))
	return err == nil && slices.ContainsFunc(found, func(m *mountinfo.Info) bool { return strings.HasPrefix(m.FSType, "fuse") })
}

// List names the mounts whose process lives, or has died and left the mount behind; others are
// removed.
func (r *Registry) List() ([]Mount, error) {
	return list(r.dir, func(path string) { _ = os.Remove(path) })
}

// LookUp is [Registry.List] of a directory that it does not change: it need not be there, and stays as it is.
func LookUp(dir string) ([]Mount, error) {
	mounts, err := list(dir, func(string) {})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return mounts, err
}

func list(dir string, stale func(path string)) ([]Mount, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("registry of mounts: %w", err)
	}
	var mounts []Mount
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".json") {
			continue
		}
		path := filepath.Join(dir, e.Name())
		m, err := read(path)
		if err != nil {
			continue // being replaced, or not ours
		}
		if gone(m.PID) && !mounted(m.Mountpoint) {
			stale(path)
			continue
		}
		mounts = append(mounts, m)
	}
	return mounts, nil
}

// Find returns the mount that holds an absolute path, and the path's rest
// below it. The longest mountpoint wins.
func (r *Registry) Find(path string) (m Mount, rest string, ok bool) {
	mounts, err := r.List()
	if err != nil {
		return Mount{}, "", false
	}
	for _, x := range mounts {
		below, inside := strings.CutPrefix(path, x.Mountpoint)
		if inside && (below == "" || below[0] == '/') && len(x.Mountpoint) > len(m.Mountpoint) {
			m, rest, ok = x, strings.TrimPrefix(below, "/"), true
		}
	}
	return m, rest, ok
}
