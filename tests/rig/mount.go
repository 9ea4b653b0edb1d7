package rig

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// CommandTimeout bounds every command of the rig.
const CommandTimeout = 90 * time.Second

// Mount is a mount in the foreground of a child process.
type Mount struct {
	Dir string // the mountpoint
	top string // everything of it: state, cache, registry
	env []string
	cmd *exec.Cmd
	log *os.File
}

// MountAt mounts with the given options below top, which later mounts of the
// same spool share. It fails the test when the mount does not come up.
func MountAt(t *testing.T, top string, env []string, options ...string) *Mount {
	t.Helper()
	m := &Mount{Dir: filepath.Join(top, "mnt"), top: top}
	for _, d := range []string{m.Dir, filepath.Join(top, "run")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	m.env = append(append(os.Environ(), env...), "XDG_RUNTIME_DIR="+filepath.Join(top, "run"), "HOME="+top)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	args := append([]string{"mount", "--foreground", "--state-dir", filepath.Join(top, "state"), "--cache-dir", filepath.Join(top, "cache"), "--log-file", filepath.Join(top, "mount.log")}, options...)
	m.cmd = exec.Command(Bin, append(args, m.Dir)...)
	m.log, err = os.OpenFile(filepath.Join(top, "mount.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	m.cmd.Stderr = m.log
	m.cmd.Env = append(m.env, "S3LEVELFS_READY_FD=3")
	m.cmd.ExtraFiles = []*os.File{w}
	m.cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	t.Cleanup(func() { m.Kill() })
	var hello struct{ Error string }
	if err := r.SetReadDeadline(time.Now().Add(CommandTimeout)); err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(r).Decode(&hello); err != nil || hello.Error != "" {
		t.Fatalf("mount: %v %s\n%s", err, hello.Error, m.Log())
	}
	return m
}

// Log is what the daemon has logged, its end at least.
func (m *Mount) Log() string {
	text, err := os.ReadFile(filepath.Join(m.top, "mount.log"))
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-6000):])
}

// Kill is kill -9, and the removal of the dead mount. It may be called twice.
func (m *Mount) Kill() {
	if m.cmd != nil {
		_ = m.cmd.Process.Kill()
		_ = m.cmd.Wait()
		_ = m.log.Close()
		m.cmd = nil
	}
	_ = unix.Unmount(m.Dir, unix.MNT_DETACH)
}

// PID of the daemon.
func (m *Mount) PID() int { return m.cmd.Process.Pid }

// Run runs the program with args, knowing this mount; it returns output and exit code.
func (m *Mount) Run(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), CommandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, Bin, args...)
	cmd.Env = m.env
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// Unmount drains and unmounts, and fails the test when something is left.
func (m *Mount) Unmount(t *testing.T) {
	t.Helper()
	if _, stderr, code := m.Run(t, "umount", m.Dir); code != 0 {
		t.Fatalf("umount: exit %d: %s\n%s", code, stderr, m.Log())
	}
	done := make(chan error, 1)
	cmd := m.cmd
	go func() { done <- cmd.Wait() }()
	select {
	case err := <-done:
		if err != nil {
			t.Fatalf("daemon: %v\n%s", err, m.Log())
		}
	case <-time.After(CommandTimeout):
		t.Fatalf("daemon did not end after umount\n%s", m.Log())
	}
	_ = m.log.Close()
	m.cmd = nil
}

// Terminate sends SIGTERM and gives the exit code.
func (m *Mount) Terminate(t *testing.T) int {
	t.Helper()
	cmd := m.cmd
	if err := cmd.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	hung := time.AfterFunc(CommandTimeout, func() { _ = cmd.Process.Kill() })
	defer hung.Stop()
	_ = cmd.Wait() // the code says it
	_ = m.log.Close()
	m.cmd = nil
	return cmd.ProcessState.ExitCode()
}
