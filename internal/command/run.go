package command

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// leaveTime is what output may take that somebody else still holds open after the program has ended.
	leaveTime = time.Second
	// maxTail bounds what is kept of standard error, in bytes, and maxLine what is told of its last line.
	maxTail, maxLine = 4 << 10, 500
)

// Failure is the end of a program that did not do what it was to do.
type Failure struct {
	Code int    // its exit code; -1: it was killed, or could not be started
	Last string // the last line that it wrote to standard error, "" = none
	Err  error  // of package exec
}

// Error says all of it in one line.
func (f *Failure) Error() string {
	if f.Last == "" {
		return f.Err.Error()
	}
	return fmt.Sprintf("%v: %s", f.Err, f.Last)
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Run runs a program in a process group of its own, all of which is killed when the context of cmd ends. What the program has left in the
// background when it ends goes on. The error is a *Failure.
func Run(cmd *exec.Cmd) error { return run(cmd, func() {}) }

// RunGroup is [Run], but what the program leaves in its group ends with it.
func RunGroup(cmd *exec.Cmd) error {
	return run(cmd, func() {
		// Until the program is waited for its number is nobody else's.
		for errors.Is(unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
			continue
		}
		_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL) // or there is nobody left
	})
}

func run(cmd *exec.Cmd, ended func()) error {
	var errors tail
	cmd.Stderr = &errors
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	cmd.WaitDelay = leaveTime
	err := cmd.Start()
	if err == nil {
		ended()
		err = cmd.Wait()
	}
	if err == nil {
		return nil
	}
	f := &Failure{Code: -1, Last: errors.lastLine(), Err: err}
	if cmd.ProcessState != nil {
		f.Code = cmd.ProcessState.ExitCode()
	}
	return f
}

// tail keeps the last bytes of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

// Write never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(p)
	if len(p) > maxTail {
		p = p[len(p)-maxTail:]
	}
	if over := len(t.text) + len(p) - maxTail; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	t.text = append(t.text, p...)
	return n, nil
}

// lastLine is the last line that is not blank, or its begin, as printable text.
func (t *tail) lastLine() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := bytes.TrimSpace(t.text)
	line := bytes.TrimSpace(text[bytes.LastIndexByte(text, '\n')+1:])
	line = bytes.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, line[:min(len(line), maxLine)])
	return string(bytes.ToValidUTF8(line, []byte("?")))
}
