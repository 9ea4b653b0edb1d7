package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
)

const (
	readyVar = "S3LEVELFS_READY_FD"
	// startTimeout bounds the daemon's start; everything in it is bounded more
	// tightly, but for a previous daemon's drain (10 s).
	startTimeout = 40 * time.Second
)

// handshake is the one message of a daemon to the command that started it.
type handshake struct {
	Code  int    `json:"code"`
	Error string `json:"error,omitempty"`
	// Socket is the control socket of a mount that is usable.
	Socket string `json:"socket,omitempty"`
}

// startDaemon runs the same command in the foreground in a session of its own
// and returns when it says that the mount is usable, or why it is not.
func startDaemon(ctx context.Context, args []string) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	// The daemon outlives this command on purpose: no CommandContext.
	cmd := exec.Command(exe, slices.Insert(slices.Clone(args), 1, "--foreground")...) //nolint:gosec,noctx // our own executable, which must not end with ctx
	cmd.Env = append(os.Environ(), readyVar+"=3")
	cmd.ExtraFiles = []*os.File{w}
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		_ = w.Close()
		return fmt.Errorf("daemon: %w", err)
	}
	_ = w.Close()
	var h handshake
	if err := r.SetReadDeadline(time.Now().Add(startTimeout)); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = r.SetReadDeadline(time.Now()) })
	defer stop()
	if err := json.NewDecoder(r).Decode(&h); err != nil {
		_ = cmd.Process.Signal(unix.SIGTERM)
		return fmt.Errorf("the daemon ended or hung before the mount was usable (%w): see its log, or try --foreground", err)
	}
	if h.Error != "" {
		_ = cmd.Wait()
		return cmdline.WithCode(h.Code, errors.New(h.Error))
	}
	return cmd.Process.Release()
}

// readyPipe is the daemon's end of the handshake; nil in the foreground.
type readyPipe struct{ f *os.File }

func readiness() (readyPipe, error) {
	text, ok := os.LookupEnv(readyVar)
	if !ok {
		return readyPipe{}, nil
	}
	if err := os.Unsetenv(readyVar); err != nil {
		return readyPipe{}, err
	}
	fd, err := strconv.Atoi(text)
	if err != nil || fd < 3 {
		return readyPipe{}, cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("%s=%q is not a file descriptor", readyVar, text))
	}
	unix.CloseOnExec(fd)
	return readyPipe{os.NewFile(uintptr(fd), "ready")}, nil
}

func (p readyPipe) daemon() bool { return p.f != nil }

func (p readyPipe) failed(err error) {
	if p.f != nil {
		_ = p.send(handshake{Code: cmdline.ExitCode(err), Error: err.Error()})
	}
}

// ok tells that the mount is usable and lets go of the terminal.
func (p readyPipe) ok(socket string) error {
	if p.f == nil {
		return nil
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	return p.send(handshake{Socket: socket})
}

func (p readyPipe) send(h handshake) error {
	err := json.NewEncoder(p.f).Encode(h)
	return errors.Join(err, p.f.Close())
}
