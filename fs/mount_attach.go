package fs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

const (
	device = "/dev/fuse"
	// helperTimeout bounds fusermount3, which may hang on a dead mount nearby.
	helperTimeout = 8 * time.Second
)

// attach mounts dir and returns the descriptor that the requests come from:
// by mount(2) where the process may, else by the setuid helper fusermount3.
//
// Both are done here rather than by go-fuse, which mounts with the same two
// means but prints the helper's complaints to standard error and has no
// lazy unmount.
func attach(dir string, o Options) (fd int, err error) {
	if _, err := os.Stat(device); errors.Is(err, fs.ErrNotExist) {
		return -1, &MountError{
			Mountpoint: dir, Kind: ErrNoDevice,
			Mend: "load it with `modprobe fuse`, or start the container with --device /dev/fuse",
		}
	}
	if os.Geteuid() == 0 {
		fd, err = attachDirect(dir, o)
		if err == nil || !errors.Is(err, syscall.EPERM) {
			return fd, err
		}
	}
	helper, found := fusermount()
	switch {
	case found:
		return attachHelper(helper, dir, o)
	case err != nil:
		return -1, err // root without the capability, and no helper
	}
	return -1, &MountError{Mountpoint: dir, Kind: ErrNoFusermount, Mend: "install the package fuse3"}
}

// attachDirect opens the device and calls mount(2).
func attachDirect(dir string, o Options) (int, error) {
	const denied = "give the container --device /dev/fuse and --cap-add SYS_ADMIN, or ask the administrator"
	fd, err := unix.Open(device, unix.O_RDWR|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, syscall.ENODEV), errors.Is(err, syscall.ENXIO):
		return -1, &MountError{Mountpoint: dir, Kind: ErrNoDevice, Err: err, Mend: "load it with `modprobe fuse`"}
	case err != nil:
		return -1, &MountError{Mountpoint: dir, Kind: ErrDenied, Err: err, Mend: denied}
	}
	flags := uintptr(unix.MS_NOSUID | unix.MS_NODEV)
	if o.ReadOnly {
		flags |= unix.MS_RDONLY
	}
	data := fmt.Sprintf("fd=%d,rootmode=%o,user_id=%d,group_id=%d,%s",
		fd, unix.S_IFDIR, os.Geteuid(), os.Getegid(), strings.Join(common(o), ","))
	err = unix.Mount(o.FsName, dir, "fuse."+o.Name, flags, data)
	if err == nil {
		return fd, nil
	}
	_ = unix.Close(fd) // nothing came of it
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		return -1, &MountError{Mountpoint: dir, Kind: ErrDenied, Err: err, Mend: denied}
	}
	return -1, &MountError{Mountpoint: dir, Kind: ErrMount, Err: err, Mend: "see dmesg"}
}

// common are the options that both ways of mounting take.
func common(o Options) []string {
	list := []string{fmt.Sprintf("max_read=%d", maxRequest)}
	if o.AllowOther {
		list = append(list, "allow_other", "default_permissions")
	}
	return list
}

// fusermount finds the helper, outside of PATH too.
func fusermount() (string, bool) {
	for _, name := range []string{"fusermount3", "/usr/bin/fusermount3", "/bin/fusermount3", "fusermount", "/bin/fusermount"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, true
		}
	}
	return "", false
}

// attachHelper lets fusermount3 mount. It sends the descriptor over a socket
// (libfuse, util/fusermount.c: _FUSE_COMMFD).
func attachHelper(helper, dir string, o Options) (int, error) {
	options := append(common(o), "nosuid", "nodev", "fsname="+escape(o.FsName), "subtype="+escape(o.Name))
	if o.ReadOnly {
		options = append(options, "ro")
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, &MountError{Mountpoint: dir, Kind: ErrMount, Err: os.NewSyscallError("socketpair", err)}
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "fusermount-ours"), os.NewFile(uintptr(pair[1]), "fusermount-theirs")
	defer ours.Close()
	defer theirs.Close()
	ctx, cancel := context.WithTimeout(context.Background(), helperTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, helper, "-o", strings.Join(options, ","), "--", dir) //nolint:gosec // the helper's name is ours
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Env = append(os.Environ(), "_FUSE_COMMFD=3")
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return -1, helperError(dir, o, said.String(), err)
	}
	fd, err := receiveDescriptor(int(ours.Fd()))
	if err != nil {
		return -1, &MountError{Mountpoint: dir, Kind: ErrMount, Err: err, Mend: "is fusermount3 the one of libfuse 3?"}
	}
	return fd, nil
}

// escape protects what separates options.
func escape(value string) string {
	return strings.NewReplacer(`\`, `\\`, `,`, `\,`).Replace(value)
}

// helperError makes one line of what the helper said, and finds the usual causes.
func helperError(dir string, o Options, said string, err error) error {
	line, _, _ := strings.Cut(strings.TrimSpace(said), "\n")
	if line == "" {
		line = err.Error()
	}
	e := &MountError{Mountpoint: dir, Kind: ErrMount, Err: errors.New(line), Mend: "see `man fusermount3`"}
	if unix.Access(device, unix.R_OK|unix.W_OK) != nil {
		e.Kind, e.Mend = ErrDenied, "the administrator can permit it: chmod 0666 /dev/fuse"
	} else if o.AllowOther {
		e.Kind, e.Mend = ErrDenied, "--allow-other needs the line user_allow_other in /etc/fuse.conf"
	}
	return e
}

// receiveDescriptor takes the one descriptor that comes over a socket.
func receiveDescriptor(socket int) (int, error) {
	data, control := make([]byte, 4), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(socket, data, control, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return -1, os.NewSyscallError("recvmsg", err)
	}
	messages, err := unix.ParseSocketControlMessage(control[:n])
	if err != nil {
		return -1, os.NewSyscallError("recvmsg", err)
	}
	for i := range messages {
		if fds, err := unix.ParseUnixRights(&messages[i]); err == nil && len(fds) == 1 {
			return fds[0], nil
		}
	}
	return -1, errors.New("no descriptor came")
}

// detach unmounts dir: by umount2(2), or by the helper where that needs rights.
func detach(dir string, lazy bool) error {
	flags := unix.UMOUNT_NOFOLLOW
	if lazy {
		flags |= unix.MNT_DETACH
	}
	err := unix.Unmount(dir, flags)
	if errors.Is(err, syscall.EPERM) {
		err = detachHelper(dir, lazy)
	}
	if errors.Is(err, syscall.EBUSY) {
		return fmt.Errorf("%w (%w)", ErrBusy, err)
	}
	return err
}

func detachHelper(dir string, lazy bool) error {
	helper, found := fusermount()
	if !found {
		return ErrNoFusermount
	}
	args := []string{"-u", "--", dir}
	if lazy {
		args[0] = "-uz"
	}
	ctx, cancel := context.WithTimeout(context.Background(), helperTimeout)
	defer cancel()
	said, err := exec.CommandContext(ctx, helper, args...).CombinedOutput() //nolint:gosec // the helper's name is ours
	if err == nil {
		return nil
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(said)), "\n")
	if checkMounts(dir) == nil {
		return nil // gone all the same: somebody else was faster
	}
	return fmt.Errorf("%w (%s)", ErrBusy, line)
}

// raiseReadahead lets the kernel read as far ahead as one request carries. FUSE
// only lets a file system lower the 128 KiB that the kernel begins with; raising
// it is a matter of sysfs, and of root.
func raiseReadahead(dir string) error {
	if os.Geteuid() != 0 {
		return syscall.EPERM
	}
	mounts, err := mountinfo.GetMounts(mountinfo.SingleEntryFilter(dir))
	if err != nil {
		return err
	}
	if len(mounts) == 0 {
		return fs.ErrNotExist
	}
	m := mounts[len(mounts)-1]
	file := fmt.Sprintf("/sys/class/bdi/%d:%d/read_ahead_kb", m.Major, m.Minor)
	return os.WriteFile(file, fmt.Appendf(nil, "%d", maxRequest>>10), 0)
}
