package command_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/internal/command"
)

func TestRunTellsTheLastLine(t *testing.T) {
	err := command.Run(exec.CommandContext(t.Context(), "/bin/sh", "-c", `echo out; echo first >&2; printf 'no \033room\n\n' >&2; exit 3`))
	f, ok := errors.AsType[*command.Failure](err)
	if !ok || f.Code != 3 || f.Last != "no  room" {
		t.Errorf("%#v", err)
	}
	if err := command.Run(exec.CommandContext(t.Context(), "/bin/sh", "-c", "echo fine >&2")); err != nil {
		t.Error(err)
	}
	err = command.Run(exec.CommandContext(t.Context(), "/none/such"))
	if f, ok := errors.AsType[*command.Failure](err); !ok || f.Code != -1 || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%#v", err)
	}
}

// A program that writes without end costs no memory, and its last line is told.
func TestRunBoundsWhatItKeeps(t *testing.T) {
	err := command.Run(exec.CommandContext(t.Context(), "/bin/sh", "-c", `yes line | head -c 1000000 >&2; printf '\n%02000d' 7 >&2; exit 1`))
	f, ok := errors.AsType[*command.Failure](err)
	if !ok || f.Last != strings.Repeat("0", 500) {
		t.Errorf("%v", err)
	}
}

// begun starts a program that has a child of its own, and gives the child's number once it runs.
func begun(t *testing.T, script string) (pid int) {
	t.Helper()
	fifo := filepath.Join(t.TempDir(), "pid")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	done := make(chan error, 1)
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", script)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "FIFO=" + fifo}
	go func() { done <- command.RunGroup(cmd) }()
	text, err := os.ReadFile(fifo)
	if err != nil {
		t.Fatal(err)
	}
	pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	end()
	if err := <-done; err == nil {
		t.Error("no error of a program that was killed")
	}
	return pid
}

// alive tells whether a process runs: one that has ended and waits for init to take note of that does not.
func alive(t *testing.T, pid int) bool {
	t.Helper()
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z") && !strings.HasPrefix(state, "X")
}

// gone waits for the end of a process that has been sent SIGKILL: the signal is there before kill(2) returns, the end soon after.
func gone(t *testing.T, pid int) {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	const patience = 10_000 // ms
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, patience)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n == 0 && alive(t, pid) {
			t.Errorf("process %d goes on: %v", pid, err)
		}
		return
	}
}

// The end of the context ends the children, too.
func TestTheGroupEndsWithItsTime(t *testing.T) {
	gone(t, begun(t, `sleep 1000 & echo $! >"$FIFO"; wait`))
}

// RunGroup ends what the program has left in the background, at once.
func TestRunGroupLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "pid")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	pid := make(chan int, 1)
	go func() {
		text, _ := os.ReadFile(fifo)
		n, _ := strconv.Atoi(strings.TrimSpace(string(text)))
		pid <- n
	}()
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", `sleep 1000 2>/dev/null & echo $! >"$FIFO"`)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "FIFO=" + fifo}
	if err := command.RunGroup(cmd); err != nil {
		t.Fatal(err)
	}
	n := <-pid
	if n == 0 {
		t.Fatal("no process")
	}
	gone(t, n)
}
