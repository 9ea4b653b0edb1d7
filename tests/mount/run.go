package mount

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Options of one mount.
type Options struct {
	Daemon  string        // name given to Main; "" = none, for tests that mount by themselves
	Args    any           // for the daemon, by way of JSON
	UID     int           // daemon and worker run as this user; 0 = root
	Timeout time.Duration // for everything; 0 = 60 s
}

// Mount is a mount as its worker sees it.
type Mount struct {
	Dir string // the mountpoint

	control *rpc.Client // nil when the daemon has no Control
}

// Run mounts and calls work in the worker process, whose failure fails t.
// Statements of the test outside of work run in both processes.
func Run(t *testing.T, o Options, work func(t *testing.T, m *Mount)) {
	t.Helper()
	if isWorker() {
		s := readSpec()
		m := &Mount{Dir: s.Dir}
		if c, err := rpc.Dial("unix", s.Socket); err == nil {
			m.control = c
			defer c.Close()
		}
		work(t, m)
		return
	}
	out, err := start(t, o)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("worker:\n%s", out)
}

// Expect runs like [Run] but hands the worker's output and failure to judge, in
// the test process, instead of failing t: for what must go wrong.
func Expect(t *testing.T, o Options, work func(t *testing.T, m *Mount), judge func(out string, err error)) {
	t.Helper()
	if isWorker() {
		Run(t, o, work)
		return
	}
	judge(start(t, o))
}

// start runs init and waits for it.
func start(t *testing.T, o Options) (string, error) {
	t.Helper()
	args, err := json.Marshal(o.Args)
	if err != nil {
		t.Fatal(err)
	}
	base := t.TempDir()
	s := spec{
		Daemon: o.Daemon, Args: args, Pattern: pattern(t.Name()), UID: o.UID, Verbose: testing.Verbose(),
		Dir: filepath.Join(base, "mnt"), State: filepath.Join(base, "state"), Socket: filepath.Join(base, "control"),
	}
	if err := prepare(base, s); err != nil {
		t.Fatal(err)
	}
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	ctx, cancel := context.WithTimeout(t.Context(), o.Timeout)
	defer cancel()
	return runInit(ctx, s)
}

// prepare makes the directories, for the user who will work in them.
func prepare(base string, s spec) error {
	for _, dir := range []string{s.Dir, s.State} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		if err := os.Chown(dir, s.UID, s.UID); err != nil {
			return err
		}
	}
	// t.TempDir is two levels; others must be able to pass, and the daemon's
	// socket is made in the lower one.
	if err := os.Chmod(filepath.Dir(base), 0o711); err != nil {
		return err
	}
	return os.Chmod(base, 0o777)
}

// runInit starts init in namespaces of its own and gives what it printed.
func runInit(ctx context.Context, s spec) (string, error) {
	encoded, err := json.Marshal(s)
	if err != nil {
		return "", err
	}
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), envRole+"=init", quickExit, envSpec+"="+string(encoded))
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:   syscall.CLONE_NEWPID,
		Unshareflags: syscall.CLONE_NEWNS, // the syscall package makes the tree private
		Pdeathsig:    syscall.SIGKILL,
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = 5 * time.Second
	// Pdeathsig is about the thread that started the child, not the process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err = cmd.Run()
	switch {
	case errors.Is(err, syscall.EPERM):
		err = errors.New("tests with mounts need root (CAP_SYS_ADMIN) for a mount namespace of their own")
	case ctx.Err() != nil:
		err = errors.Join(errors.New("the mount's test took too long and was killed"), ctx.Err())
	}
	return out.String(), err
}

// pattern is the -test.run that selects one test.
func pattern(name string) string {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		parts[i] = "^" + regexp.QuoteMeta(p) + "$"
	}
	return strings.Join(parts, "/")
}
