package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/control"
	"github.com/s3levelfs/s3levelfs/fs"
	"github.com/s3levelfs/s3levelfs/internal/telemetry"
)

const (
	busyGrace = 5 * time.Second // programs inside get so long after a signal
	stopGrace = 2 * time.Second // requests in flight at the very end
)

// serve waits until the mount is taken away, by whom ever, drains the spool
// and closes everything. What is left is an error with its own exit code.
func (s *session) serve(ctx context.Context, stop context.CancelFunc) error {
	s.tellManager(daemon.SdNotifyReady)
	limit := time.Duration(0)
	select {
	case <-s.fuse.Done():
		s.tellManager(daemon.SdNotifyStopping)
	case <-ctx.Done():
		stop()
		limit = s.cfg.StopTimeout
	}
	// A second signal ends the drain; the spool keeps what is left.
	again, stopAgain := signal.NotifyContext(contextWithout(ctx), unix.SIGINT, unix.SIGTERM)
	defer stopAgain()
	if limit > 0 { // whoever sent the signal waits no longer
		var cancel context.CancelFunc
		again, cancel = context.WithTimeout(again, limit)
		defer cancel()
	}
	if ctx.Err() != nil {
		s.tellManager(daemon.SdNotifyStopping)
		s.unmountForSignal()
	}
	left := s.drain(again)
	s.unmounting.Lock()
	defer s.unmounting.Unlock()
	s.close()
	return control.LeftError(left)
}

// tellManager tells the service manager that started this process, if one did.
func (s *session) tellManager(states ...string) {
	if _, err := daemon.SdNotify(false, strings.Join(states, "\n")); err != nil {
		s.log.Warn("the service manager can not be told", zap.Error(err))
	}
}

// tellOfDrain keeps the service manager's status line up to date until stop is called.
func (s *session) tellOfDrain() (stop func()) {
	if os.Getenv("NOTIFY_SOCKET") == "" {
		return func() {}
	}
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			left := s.status().Left()
			s.tellManager(fmt.Sprintf("STATUS=uploading: %s left, %s", cmdline.Plural(left.Files, "change"), cmdline.BytesText(left.Bytes)))
			select {
			case <-end:
				return
			case <-time.After(2 * time.Second):
			}
		}
	}()
	return func() { close(end); <-done }
}

// drain uploads what there is, until nothing is left that could be: what has
// failed stays in the spool for the next mount.
func (s *session) drain(ctx context.Context) telemetry.Left {
	s.draining.Store(true)
	defer s.tellOfDrain()()
	if _, err := s.uploader.Wait(ctx, ""); err != nil && ctx.Err() == nil {
		s.log.Error("drain ended early", zap.Error(err))
	}
	left := s.status().Left()
	if left.Files > 0 {
		s.log.Warn("left in the spool", zap.Int("files", left.Files), zap.Int64("bytes", left.Bytes), zap.Int("failed", left.Failed))
	}
	return left
}

// stopUploads ends the engine; what is in flight gets a moment to be answered.
func (s *session) stopUploads() {
	ctx, cancel := context.WithTimeout(context.Background(), stopGrace)
	defer cancel()
	if left, err := s.uploader.Close(ctx); err != nil {
		s.log.Error("uploader not closed cleanly", zap.Int("left", left), zap.Error(err))
	}
}

// unmountForSignal takes the mount away even if programs are inside: they get
// a moment to close their files.
func (s *session) unmountForSignal() {
	err := s.fuse.Unmount()
	if errors.Is(err, fs.ErrBusy) {
		err = s.fuse.UnmountLazy()
	}
	if err != nil {
		s.log.Warn("unmount", zap.Error(err))
	}
	select {
	case <-s.fuse.Done():
	case <-time.After(busyGrace):
		s.log.Warn("programs still have files open in the mount: they get errors now")
		s.unmountWhateverHappens()
	}
}

// unmountWhateverHappens cuts the kernel off if the mount is still there.
func (s *session) unmountWhateverHappens() {
	select {
	case <-s.fuse.Done():
		return
	default:
	}
	if err := s.fuse.Abort(); err != nil {
		s.log.Error("mount not taken away", zap.Error(err))
		return
	}
	select {
	case <-s.fuse.Done():
	case <-time.After(stopGrace): // detached, but in use: the end of this process ends that
		s.log.Warn("programs still have files open in the mount that was taken away: they get errors when this process ends")
	}
}
