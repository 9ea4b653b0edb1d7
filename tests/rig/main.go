package rig

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/store/local"
)

const insideVar = "S3LEVELFS_TEST_NAMESPACE"

// Bin is the program under test, built by Main.
var Bin string //nolint:gochecknoglobals // built once for all tests of a binary

// Main is the TestMain of packages that mount.
func Main(m *testing.M) {
	local.MaybeRunChild() // tests may run a server of their own, with accounts
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "rig:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	if os.Getenv(insideVar) == "" {
		return reexec()
	}
	if err := unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return 1, fmt.Errorf("make mounts private: %w", err)
	}
	dir, err := os.MkdirTemp("", "rig")
	if err != nil {
		return 1, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	Bin = filepath.Join(dir, "s3levelfs")
	root, err := moduleRoot()
	if err != nil {
		return 1, err
	}
	build := exec.Command("go", "build", "-o", Bin, "./cmd/s3levelfs")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("build: %w\n%s", err, out)
	}
	code := m.Run()
	return code, leftMounts()
}

// reexec runs this test binary again in a mount namespace of its own.
func reexec() (int, error) {
	exe, err := os.Executable()
	if err != nil {
		return 1, err
	}
	cmd := exec.Command(exe, os.Args[1:]...)
	cmd.Env = append(os.Environ(), insideVar+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &unix.SysProcAttr{Cloneflags: unix.CLONE_NEWNS, Pdeathsig: unix.SIGKILL}
	err = cmd.Run()
	if ee, ok := errors.AsType[*exec.ExitError](err); ok {
		return ee.ExitCode(), nil
	}
	if err != nil {
		return 1, fmt.Errorf("a mount namespace is needed (run as root, or in a user namespace): %w", err)
	}
	return 0, nil
}

func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("no go.mod above the working directory")
}

// leftMounts takes away and reports what tests have left mounted.
func leftMounts() error {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	var left []string
	for line := range strings.Lines(string(table)) {
		if f := strings.Fields(line); strings.Contains(line, "fuse.s3levelfs") && len(f) > 4 {
			left = append(left, f[4])
			_ = unix.Unmount(f[4], unix.MNT_DETACH)
		}
	}
	if len(left) > 0 {
		return fmt.Errorf("mounts left behind: %s", strings.Join(left, ", "))
	}
	return nil
}
