package script

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/tests/rig"
)

// TestNothingIsMountedWithoutControl: what can not be controlled is never mounted, not even for a
// moment: the kernel tells of every change of the mount table.
func TestNothingIsMountedWithoutControl(t *testing.T) {
	top := t.TempDir()
	server := rig.StartServer(t, filepath.Join(top, "data"))
	notADir := filepath.Join(top, "file")
	if err := errors.Join(os.WriteFile(notADir, nil, 0o600), os.Mkdir(filepath.Join(top, "mnt"), 0o700)); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ state, runtime, says string }{
		"socket path too long":   {filepath.Join(top, strings.Repeat("long/", 30)), top, "choose a shorter --state-dir"},
		"no registry of mounts":  {filepath.Join(top, "state"), notADir, "registry of mounts"},
		"no directory for state": {filepath.Join(notADir, "state"), top, "state directory"},
	} {
		table, err := unix.Open("/proc/self/mountinfo", unix.O_RDONLY|unix.O_CLOEXEC, 0) // an os.File would poll it itself
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		cmd := exec.CommandContext(ctx, rig.Bin, "mount", "--bucket", rig.Bucket, "--endpoint", server.Endpoint, "--path-style",
			"--identity-id", rig.Identity, "--state-dir", tt.state, "--cache-dir", filepath.Join(top, "cache"), filepath.Join(top, "mnt"))
		cmd.Env = append(append(os.Environ(), server.Env...), "XDG_RUNTIME_DIR="+tt.runtime, "HOME="+top)
		var said bytes.Buffer
		cmd.Stderr = &said
		_ = cmd.Run() // its code is looked at
		cancel()
		if code := cmd.ProcessState.ExitCode(); code != 78 || !strings.Contains(said.String(), tt.says) || strings.Count(said.String(), "\n") != 1 {
			t.Errorf("%s: exit %d: %s", name, code, &said)
		}
		changed, err := polled(table)
		if err != nil || changed != 0 {
			t.Errorf("%s: something was mounted (%v)", name, err)
		}
		_ = unix.Close(table) // only read
	}
}

// polled tells whether the kernel has something to say of fd. The runtime's own signals interrupt a poll also where it does not wait.
func polled(fd int) (n int, err error) {
	for err = unix.EINTR; errors.Is(err, unix.EINTR); {
		n, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLPRI}}, 0)
	}
	return n, err
}
