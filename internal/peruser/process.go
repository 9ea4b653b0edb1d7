package peruser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/internal/telemetry"
)

// maxAnswer bounds what a user's process may answer: it is not trusted with this one's memory.
const maxAnswer = 4 << 20

// status is what counts here of the status that a mount tells of itself.
type status struct {
	Mountpoint string
	PID        int
	State      string
	Kernel     map[string]int64
	Handles    int64 `json:"open_handles"`
	Uploads    struct {
		Open, Queued, Sending, Failed int
		Bytes                         int64
		LastError                     string `json:"last_error"`
	}
}

// process is the mount of a user as a process, a child of this one or of an earlier front's.
type process struct {
	dir     string
	client  *telemetry.Client
	process *os.Process // of a child or not: signals reach this one, or nobody
	child   *exec.Cmd   // nil: it is to be waited for by somebody else
	pidfd   *os.File
	forget  func() // its record

	waiting sync.WaitGroup
	done    chan struct{}
}

// watchProcess begins to wait for the end of a process.
func watchProcess(p *process, pid int) error {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return os.NewSyscallError("pidfd_open", err)
	}
	p.pidfd, p.done = os.NewFile(uintptr(fd), "pidfd"), make(chan struct{})
	p.waiting.Go(p.wait)
	return nil
}

// wait waits for the end, and takes away what it leaves: the mount of a process that was killed is still in the tree.
func (p *process) wait() {
	raw, err := p.pidfd.SyscallConn()
	if err == nil {
		err = raw.Read(func(fd uintptr) bool { return readable(int(fd)) })
	}
	if err != nil {
		return // it is let go
	}
	if p.child != nil {
		_ = p.child.Wait() // its exit code says less than it has told
	}
	_ = p.pidfd.Close()
	removeMount(p.dir)
	p.forget()
	close(p.done)
}

// readable tells of a pidfd whether its process has ended.
func readable(fd int) bool {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		if !errors.Is(err, unix.EINTR) {
			return n > 0
		}
	}
}

// removeMount takes away what is mounted on a directory. The directory itself is not looked at: what is mounted there lets root not in.
func removeMount(dir string) {
	for unix.Unmount(dir, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW) == nil { // until nothing is: EINVAL
		continue
	}
}

// letGo ends the waiting; the process goes on.
func (p *process) letGo() {
	_ = p.pidfd.Close()
	p.waiting.Wait()
}

// Done is closed when the process has ended and its mount is out of the tree.
func (p *process) Done() <-chan struct{} { return p.done }

// InTree asks the kernel whether the directory is the root of a mount. That is known without a look at what is mounted there, which lets
// root not in.
func (p *process) InTree() bool {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, p.dir, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT, 0, &st)
	return err == nil && st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0 && !ended(p) && !p.exited()
}

// exited tells whether the process has ended, a moment before Done does.
func (p *process) exited() (yes bool) {
	raw, err := p.pidfd.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { yes = readable(int(fd)) })
	}
	return yes || err != nil
}

func (p *process) status(ctx context.Context) (s status, err error) {
	err = p.client.Status(ctx, &s)
	return s, err
}

// Activity is from the mount's status.
func (p *process) Activity(ctx context.Context) (Activity, error) {
	s, err := p.status(ctx)
	if err != nil {
		return Activity{}, err
	}
	u := s.Uploads
	a := Activity{
		Open: int(s.Handles) + u.Open,
		Left: telemetry.Left{Files: u.Queued + u.Sending + u.Failed, Bytes: u.Bytes, Failed: u.Failed, Error: u.LastError},
	}
	for _, n := range s.Kernel {
		a.Requests += n
	}
	return a, nil
}

// Sync is the mount's own.
func (p *process) Sync(ctx context.Context, path string, limit time.Duration) (telemetry.Left, error) {
	return p.client.Sync(ctx, path, limit)
}

// Unmount is the mount's own: EBUSY is an error that names what to do.
func (p *process) Unmount(ctx context.Context) error { return p.client.Unmount(ctx) }

// Stop is SIGTERM.
func (p *process) Stop() error {
	if err := p.process.Signal(unix.SIGTERM); err != nil {
		return fmt.Errorf("process %d: %w", p.process.Pid, err)
	}
	return nil
}
