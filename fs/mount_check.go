package fs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// Why a mount failed, found by errors.Is.
var (
	ErrNoMountpoint = errors.New("mountpoint does not exist")
	ErrNotDirectory = errors.New("mountpoint is not a directory")
	ErrNotEmpty     = errors.New("mountpoint is not empty")
	ErrNotYours     = errors.New("mountpoint is not writable by you")
	ErrMounted      = errors.New("something is mounted there already")
	ErrDeadMount    = errors.New("a mount whose process is gone is there")
	ErrNoDevice     = errors.New("/dev/fuse does not exist")
	ErrDenied       = errors.New("/dev/fuse or mounting is not permitted")
	ErrNoFusermount = errors.New("fusermount3 is not installed")
	ErrMount        = errors.New("the system refused the mount")

	// ErrBusy is what Unmount gives while files are open or somebody's
	// working directory is inside.
	ErrBusy = errors.New("in use")
)

// MountError is a failed mount: one line that names the thing and the mend.
type MountError struct {
	Mountpoint string
	Kind       error  // one of the kinds above
	Err        error  // cause, may be nil
	Mend       string // what a person can do about it
}

// Error is "mount <path>: <what> (<cause>): <mend>".
func (e *MountError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "mount %s: %v", e.Mountpoint, e.Kind)
	if e.Err != nil {
		fmt.Fprintf(&b, " (%v)", e.Err)
	}
	if e.Mend != "" {
		fmt.Fprintf(&b, ": %s", e.Mend)
	}
	return b.String()
}

// Unwrap makes errors.Is find the kind and the cause.
func (e *MountError) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

// CheckMountpoint makes mountpoint absolute, symlinks resolved, and finds what
// would make [Mount] fail there: for a program that wants to know before it starts
// anything. Errors are a *[MountError].
func CheckMountpoint(mountpoint string) (string, error) {
	dir, err := filepath.Abs(mountpoint)
	if err != nil {
		return "", &MountError{Mountpoint: mountpoint, Kind: ErrNoMountpoint, Err: err, Mend: "give an absolute path"}
	}
	// The mount table first: it is known without touching a mount that may hang.
	if err := checkMounts(dir); err != nil {
		return "", err
	}
	refuse := func(kind, err error, mend string) (string, error) {
		return "", &MountError{Mountpoint: dir, Kind: kind, Err: err, Mend: mend}
	}
	real, err := filepath.EvalSymlinks(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return refuse(ErrNoMountpoint, nil, "create it: mkdir -p "+dir)
	case errors.Is(err, syscall.ENOTCONN): // a parent of it
		return refuse(ErrDeadMount, err, "remove it: fusermount3 -uz")
	case err != nil:
		return refuse(ErrNoMountpoint, err, "choose another directory")
	}
	if real != dir {
		dir = real
		if err := checkMounts(dir); err != nil {
			return "", err
		}
	}
	info, err := os.Stat(dir)
	if err != nil {
		return refuse(ErrNoMountpoint, err, "choose another directory")
	}
	if !info.IsDir() {
		return refuse(ErrNotDirectory, nil, "choose a directory")
	}
	empty, err := isEmpty(dir)
	switch {
	case err != nil:
		return refuse(ErrNotYours, err, "choose a directory of your own")
	case !empty:
		return refuse(ErrNotEmpty, nil, "its files would be hidden; choose an empty directory")
	}
	if err := unix.Access(dir, unix.W_OK); err != nil {
		return refuse(ErrNotYours, err, "choose a directory of your own")
	}
	return dir, nil
}

// checkMounts refuses a directory that is a FUSE mount already. Other kinds (a
// container's volume) may lie below a mount.
func checkMounts(dir string) error {
	mounts, err := mountinfo.GetMounts(mountinfo.SingleEntryFilter(dir))
	if err != nil {
		return &MountError{Mountpoint: dir, Kind: ErrMount, Err: err, Mend: "is /proc mounted?"}
	}
	for _, m := range mounts {
		if m.FSType != "fuse" && !strings.HasPrefix(m.FSType, "fuse.") {
			continue
		}
		e := &MountError{Mountpoint: dir, Kind: ErrMounted, Err: fmt.Errorf("%s of type %s", m.Source, m.FSType)}
		if e.Mend = "unmount it: s3levelfs umount " + dir; isDead(dir) {
			e.Kind, e.Mend = ErrDeadMount, "remove it: s3levelfs umount "+dir
		}
		return e
	}
	return nil
}

// RemoveDead takes away a mount whose process is gone. It reports whether there was one at the path.
func RemoveDead(mountpoint string) (bool, error) {
	if err := checkMounts(mountpoint); !errors.Is(err, ErrDeadMount) {
		return false, nil
	}
	return true, detach(mountpoint, true)
}

// isDead tells whether a mount's process is gone. One that hangs is not: the
// question is given up after a second, and the goroutine that asked is left to it. It is
// statfs(2) because the kernel answers stat(2) from what it remembers.
func isDead(dir string) bool {
	answer := make(chan error, 1)
	go func() {
		answer <- unix.Statfs(dir, new(unix.Statfs_t))
	}()
	select {
	case err := <-answer:
		return errors.Is(err, syscall.ENOTCONN)
	case <-time.After(time.Second):
		return false
	}
}

// isEmpty reads at most one entry.
func isEmpty(dir string) (bool, error) {
	d, err := os.Open(dir)
	if err != nil {
		return false, err
	}
	defer d.Close()
	_, err = d.Readdirnames(1)
	if errors.Is(err, io.EOF) {
		return true, nil
	}
	return false, err
}
