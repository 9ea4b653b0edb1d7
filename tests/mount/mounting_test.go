package mount_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/fs"
	"github.com/s3levelfs/s3levelfs/tests/mount"
)

const (
	someUser  = 1000
	otherUser = 1001
)

// tryMount is a program: it mounts nothing that could be used, and prints the error.
func tryMount(args []string) int {
	s, err := fs.Mount(args[0], nil, fs.Options{AllowOther: len(args) > 1})
	if err == nil {
		err = s.UnmountLazy()
	}
	kind := "none"
	for name, k := range map[string]error{
		"no device": fs.ErrNoDevice, "denied": fs.ErrDenied, "no fusermount": fs.ErrNoFusermount,
		"mounted": fs.ErrMounted, "dead": fs.ErrDeadMount, "not yours": fs.ErrNotYours,
	} {
		if errors.Is(err, k) {
			kind = name
		}
	}
	fmt.Printf("%s|%v", kind, err)
	return 0
}

// tryAbort is a program: it mounts, keeps the mountpoint busy, and takes the mount away all the same.
func tryAbort(args []string) int {
	s, err := fs.Mount(args[0], nil, fs.Options{})
	if err == nil {
		_, err = unix.Open(args[0], unix.O_PATH|unix.O_CLOEXEC, 0) // in use, without a request
		err = errors.Join(err, s.Abort())
	}
	table, err2 := os.ReadFile("/proc/self/mountinfo")
	fmt.Printf("%v, mounted %v", errors.Join(err, err2), strings.Contains(string(table), args[0]+" "))
	return 0
}

// TestAbort: a mount in use is taken away by whoever mounted it, root or not.
func TestAbort(t *testing.T) {
	for name, uid := range map[string]uint32{"root": 0, "user": someUser} {
		t.Run(name, func(t *testing.T) {
			mount.Run(t, mount.Options{}, func(t *testing.T, m *mount.Mount) {
				must(t, os.Chown(m.Dir, int(uid), 0))
				openDevice(t, m)
				out, err := as(uid, m.Program(t.Context(), "tryabort", m.Dir)).Output()
				must(t, err)
				if got := string(out); got != "<nil>, mounted false" {
					t.Error(got)
				}
			})
		})
	}
}

// as runs a command as another user.
func as(uid uint32, cmd *exec.Cmd) *exec.Cmd {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	return cmd
}

// TestMountErrors: what is wrong with the machine is told in one line that names
// the thing and the mend, and nothing is half mounted.
func TestMountErrors(t *testing.T) {
	type setup func(t *testing.T, m *mount.Mount)
	for _, tc := range []struct {
		name  string
		setup setup
		uid   uint32
		args  []string
		kind  string
		says  string
	}{
		{"mounted", mountRaw(true), 0, nil, "mounted", "s3levelfs umount"},
		{"dead", mountRaw(false), 0, nil, "dead", "s3levelfs umount"},
		{"no device", hideDevices, 0, nil, "no device", "modprobe fuse"},
		{"no device for a user", hideDevices, someUser, nil, "no device", "modprobe fuse"},
		{"device denied", forbidDevice, 0, nil, "denied", "--device /dev/fuse"},
		{"device denied to a user", forbidDevice, someUser, nil, "denied", "chmod 0666 /dev/fuse"},
		{"no fusermount3", hideHelper, someUser, nil, "no fusermount", "install the package fuse3"},
		{"somebody else's directory", nil, otherUser, nil, "not yours", "your own"},
		{"allow_other not allowed", openDevice, someUser, []string{"allow-other"}, "denied", "user_allow_other"},
		{"all well", nil, 0, nil, "none", "<nil>"},
		{"all well for a user", openDevice, someUser, nil, "none", "<nil>"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			mount.Run(t, mount.Options{}, func(t *testing.T, m *mount.Mount) {
				must(t, os.Chown(m.Dir, int(min(tc.uid, someUser)), 0))
				if tc.setup != nil {
					tc.setup(t, m)
				}
				cmd := m.Program(t.Context(), "trymount", append([]string{m.Dir}, tc.args...)...)
				out, err := as(tc.uid, cmd).Output()
				must(t, err)
				kind, text, _ := strings.Cut(string(out), "|")
				if kind != tc.kind || !strings.Contains(text, tc.says) || strings.Contains(text, "\n") {
					t.Errorf("got %s: %s\nwant %s: …%s…", kind, text, tc.kind, tc.says)
				}
				if tc.kind != "none" && !strings.Contains(text, m.Dir) {
					t.Errorf("does not name the mountpoint: %s", text)
				}
				table, err := os.ReadFile("/proc/self/mountinfo")
				must(t, err)
				if tc.kind != "mounted" && tc.kind != "dead" && strings.Contains(string(table), m.Dir+" ") {
					t.Errorf("left a mount behind:\n%s", table)
				}
			})
		})
	}
}

// mountRaw mounts a FUSE connection that nobody serves.
func mountRaw(alive bool) func(*testing.T, *mount.Mount) {
	return func(t *testing.T, m *mount.Mount) {
		fd, err := unix.Open("/dev/fuse", unix.O_RDWR, 0)
		must(t, err)
		must(t, unix.Mount("raw", m.Dir, "fuse.raw", 0, fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", fd)))
		if !alive {
			must(t, unix.Close(fd))
		}
	}
}

// hideDevices empties /dev in this mount namespace.
func hideDevices(t *testing.T, _ *mount.Mount) {
	must(t, unix.Mount("tmpfs", "/dev", "tmpfs", 0, ""))
	must(t, os.WriteFile("/dev/null", nil, 0o666)) // the program's standard input
	must(t, os.Chmod("/dev/null", 0o666))
}

// forbidDevice puts a /dev/fuse there that nobody may open.
func forbidDevice(t *testing.T, m *mount.Mount) { bindDevice(t, m, unix.MS_NODEV, 0o600) }

// openDevice puts a /dev/fuse there as distributions have it.
func openDevice(t *testing.T, m *mount.Mount) { bindDevice(t, m, 0, 0o666) }

func bindDevice(t *testing.T, m *mount.Mount, flags uintptr, mode uint32) {
	dir := filepath.Join(filepath.Dir(m.Dir), "dev")
	must(t, os.Mkdir(dir, 0o755))
	must(t, unix.Mount("tmpfs", dir, "tmpfs", flags, "mode=755"))
	node := filepath.Join(dir, "fuse")
	must(t, unix.Mknod(node, unix.S_IFCHR|mode, int(unix.Mkdev(10, 229))))
	must(t, os.Chmod(node, os.FileMode(mode)))
	must(t, unix.Mount(node, "/dev/fuse", "", unix.MS_BIND, ""))
	if flags != 0 { // a bind mount has flags of its own
		must(t, unix.Mount("", "/dev/fuse", "", unix.MS_BIND|unix.MS_REMOUNT|flags, ""))
	}
}

// hideHelper makes every fusermount a file that can not be executed.
func hideHelper(t *testing.T, m *mount.Mount) {
	empty := filepath.Join(filepath.Dir(m.Dir), "empty")
	must(t, os.WriteFile(empty, nil, 0o644))
	for _, dir := range []string{"/usr/bin", "/bin", "/usr/local/bin", "/sbin", "/usr/sbin"} {
		for _, name := range []string{"fusermount", "fusermount3"} {
			path := filepath.Join(dir, name)
			if _, err := os.Stat(path); err == nil {
				must(t, unix.Mount(empty, path, "", unix.MS_BIND, ""))
			}
		}
	}
}

// TestOrdinaryUser: mounted and unmounted by fusermount3.
func TestOrdinaryUser(t *testing.T) {
	mount.Run(t, mount.Options{Daemon: daemonName, UID: someUser}, func(t *testing.T, m *mount.Mount) {
		if os.Geteuid() != someUser {
			t.Fatalf("running as %d", os.Geteuid())
		}
		path := m.Path("private", "f")
		write(t, path, []byte("mine"))
		wantContent(t, path, []byte("mine"))
		st, err := os.Stat(path)
		must(t, err)
		if uid := st.Sys().(*syscall.Stat_t).Uid; uid != someUser {
			t.Errorf("the file belongs to %d", uid)
		}
		table, err := os.ReadFile("/proc/self/mountinfo")
		must(t, err)
		if !strings.Contains(string(table), "fuse.s3levelfs") || !strings.Contains(string(table), "user_id=1000") {
			t.Errorf("mount table:\n%s", table)
		}
	})
}

// TestOthers: nobody else gets in, or with AllowOther as far as modes say.
func TestOthers(t *testing.T) {
	cat := func(t *testing.T, m *mount.Mount, name string) (string, error) {
		out, err := as(someUser, exec.CommandContext(t.Context(), "cat", m.Path("public", name))).CombinedOutput()
		return string(out), err
	}
	prepare := func(t *testing.T, m *mount.Mount) {
		write(t, m.Path("public", "open"), []byte("for all"))
		write(t, m.Path("public", "closed"), []byte("for me"))
		must(t, os.Chmod(m.Path("public", "closed"), 0o600))
		write(t, m.Path("private", "open"), []byte("in a closed level"))
	}
	t.Run("kept out", func(t *testing.T) {
		mount.Run(t, mount.Options{Daemon: daemonName}, func(t *testing.T, m *mount.Mount) {
			prepare(t, m)
			if out, err := cat(t, m, "open"); err == nil || !strings.Contains(out, "Permission denied") {
				t.Errorf("%v: %s", err, out)
			}
		})
	})
	t.Run("let in", func(t *testing.T) {
		o := mount.Options{Daemon: daemonName, Args: mount.StackOptions{AllowOther: true}}
		mount.Run(t, o, func(t *testing.T, m *mount.Mount) {
			prepare(t, m)
			if out, err := cat(t, m, "../private/open"); err == nil || !strings.Contains(out, "Permission denied") {
				t.Errorf("private/ is open: %v: %s", err, out)
			}
			if out, err := cat(t, m, "open"); err != nil || out != "for all" {
				t.Errorf("%v: %s", err, out)
			}
			if out, err := cat(t, m, "closed"); err == nil || !strings.Contains(out, "Permission denied") {
				t.Errorf("mode 0600 does not hold: %v: %s", err, out)
			}
		})
	})
}

func TestReadOnlyMount(t *testing.T) {
	o := mount.Options{Daemon: daemonName, Args: mount.StackOptions{ReadOnly: true}}
	mount.Run(t, o, func(t *testing.T, m *mount.Mount) {
		m.Call(t, "Put", mount.Object{Key: ownKey("f"), Data: []byte("stored")}, &struct{}{})
		wantContent(t, m.Path("private", "f"), []byte("stored"))
		wantErr(t, "write", os.WriteFile(m.Path("private", "f"), nil, 0o644), syscall.EROFS)
		wantErr(t, "mkdir", os.Mkdir(m.Path("private", "d"), 0o755), syscall.EROFS)
		wantErr(t, "remove", os.Remove(m.Path("private", "f")), syscall.EROFS)
	})
}

// TestBusy: a mount in use is not unmounted behind its users' backs.
func TestBusy(t *testing.T) {
	mount.Expect(t, mount.Options{Daemon: daemonName}, func(t *testing.T, m *mount.Mount) {
		must(t, m.Command(t.Context(), "private", "sh", "-c", "sleep 60 >/dev/null 2>&1 &").Run())
	}, func(out string, err error) {
		if err == nil || !strings.Contains(out, "in use") {
			t.Errorf("outcome %v:\n%s", err, out)
		}
	})
}
