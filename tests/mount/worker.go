package mount

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Path is a path below the mountpoint.
func (m *Mount) Path(elem ...string) string {
	return filepath.Join(append([]string{m.Dir}, elem...)...)
}

// Call calls a method of the daemon's Control (net/rpc: exported, two arguments,
// the second one a pointer, returns error).
func (m *Mount) Call(t *testing.T, method string, args, reply any) {
	t.Helper()
	if m.control == nil {
		t.Fatal("the daemon has no control")
	}
	if err := m.control.Call("Control."+method, args, reply); err != nil {
		t.Fatalf("control %s: %v", method, err)
	}
}

// Program is one of Roles.Programs as a process of its own, not yet started.
func (m *Mount) Program(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), envRole+"=program:"+name, quickExit)
	return cmd
}

// Command is a command with the mount as its working directory.
func (m *Mount) Command(ctx context.Context, dir, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = m.Path(dir)
	return cmd
}
