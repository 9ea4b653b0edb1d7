package mount_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/tests/mount"
)

// lockProgram holds a lock until its standard input ends:
//
//	lock flock|fcntl PATH
func lockProgram(args []string) int {
	f, err := os.OpenFile(args[1], os.O_RDWR, 0)
	if err == nil && args[0] == "flock" {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	} else if err == nil {
		err = unix.FcntlFlock(f.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Start: 10, Len: 10})
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("locked")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}

// holder starts a process that has the lock.
func holder(t *testing.T, m *mount.Mount, kind, path string) (cmd *exec.Cmd, release func()) {
	t.Helper()
	cmd = m.Program(t.Context(), "lock", kind, path)
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	if line != "locked\n" {
		t.Fatalf("holder: %q %v", line, err)
	}
	return cmd, func() {
		must(t, in.Close())
		must(t, cmd.Wait())
	}
}

// TestLocks: locks of one process bind another one, ranges included, and go
// with their holder.
func TestLocks(t *testing.T) {
	onMount(t, func(t *testing.T, m *mount.Mount, dir string) {
		path := filepath.Join(dir, "f")
		write(t, path, make([]byte, 100))
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		must(t, err)
		defer f.Close()

		t.Run("flock", func(t *testing.T) {
			_, release := holder(t, m, "flock", path)
			wantErr(t, "exclusive", unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB), syscall.EWOULDBLOCK)
			wantErr(t, "shared", unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB), syscall.EWOULDBLOCK)
			release()
			must(t, unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB))
			must(t, unix.Flock(int(f.Fd()), unix.LOCK_UN))
		})
		t.Run("fcntl", func(t *testing.T) {
			lock := func(typ int16, start, length int64) error {
				return unix.FcntlFlock(f.Fd(), unix.F_SETLK, &unix.Flock_t{Type: typ, Start: start, Len: length})
			}
			cmd, release := holder(t, m, "fcntl", path)
			wantErr(t, "overlapping", lock(unix.F_RDLCK, 15, 1), syscall.EAGAIN)
			must(t, lock(unix.F_WRLCK, 20, 10))
			held := unix.Flock_t{Type: unix.F_WRLCK, Start: 0, Len: 50}
			must(t, unix.FcntlFlock(f.Fd(), unix.F_GETLK, &held))
			if held.Type != unix.F_WRLCK || held.Start != 10 || held.Len != 10 || held.Pid != int32(cmd.Process.Pid) {
				t.Errorf("F_GETLK: %+v", held)
			}
			release()
			must(t, lock(unix.F_WRLCK, 0, 100))
		})
		t.Run("killed", func(t *testing.T) {
			cmd, _ := holder(t, m, "flock", path)
			must(t, cmd.Process.Kill())
			_ = cmd.Wait() // killed: always an error
			must(t, unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB))
		})
	})
}

// eventually waits for something that another process does.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for range 500 {
		if done() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("never happened: %s", what)
}
