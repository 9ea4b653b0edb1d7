package peruser

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/tests/rig"
)

// holder is a user's program that has a file open: each line that it is sent it appends to the file.
type holder struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func (m *machine) hold(uid int, path string) *holder {
	m.t.Helper()
	h := &holder{cmd: m.command(uid, "sh", "-c", "exec 3>>"+path+`; echo open; while read line; do echo "$line" >&3 && echo ok; done`)}
	var err error
	h.in, err = h.cmd.StdinPipe()
	must(m.t, err)
	out, err := h.cmd.StdoutPipe()
	must(m.t, err)
	h.out = bufio.NewReader(out)
	must(m.t, h.cmd.Start())
	m.t.Cleanup(func() { _ = h.cmd.Process.Kill(); _ = h.cmd.Wait() })
	h.want(m.t, "open\n")
	return h
}

func (h *holder) want(t *testing.T, want string) {
	t.Helper()
	if line, err := h.out.ReadString('\n'); err != nil || line != want {
		t.Fatalf("the program says %q, %v", line, err)
	}
}

func (h *holder) append(t *testing.T, line string) {
	t.Helper()
	_, err := fmt.Fprintln(h.in, line)
	must(t, err)
	h.want(t, "ok\n")
}

func (h *holder) end(t *testing.T) {
	t.Helper()
	must(t, h.in.Close())
	must(t, h.cmd.Wait())
}

// TestIdleMountEnds: a mount that nobody uses ends, and the next call starts another; while a program has a file open it does not,
// however little it does, and what it wrote is in the bucket.
func TestIdleMountEnds(t *testing.T) {
	m := newMachine(t)
	m.login(alice, "alice")
	m.start("--per-user-idle", "400ms")
	h := m.hold(alice, m.path("private/log"))
	first := m.own(alice)
	begin := m.user(alice).Since
	until(t, "the front has seen it open for five times the idle time", func() bool {
		u := m.user(alice)
		return u.Open > 0 && u.Used.Sub(begin).Milliseconds() > 2000
	})
	h.append(t, "after the idle time")
	if now := m.own(alice); now.PID != first.PID {
		t.Errorf("process %d, then %d", first.PID, now.PID)
	}
	h.end(t)
	until(t, "the mount has ended", func() bool { return m.user(alice).State == "" })
	if n := m.object("private/" + aliceID + "/log"); n != 20 {
		t.Errorf("the bucket has %d bytes", n)
	}
	if out := m.must(alice, rig.Bin+" status"); out != "nothing is mounted" {
		t.Errorf("alice's status: %s", out)
	}
	if got := m.must(alice, "cat "+m.path("private/log")); got != "after the idle time" {
		t.Errorf("the next call reads %q", got)
	}
	m.front.Unmount(t)
}

// outage takes the store away from users' mounts that have written before.
func (m *machine) outage(uids ...int) {
	m.t.Helper()
	for _, uid := range uids {
		m.must(uid, "echo x > "+m.path("private/proved")+" && "+rig.Bin+" sync")
	}
	m.proxy.SetDown(true)
}

// TestUsersMountIsKilled: the next call starts it anew, its spool is replayed, and other users' mounts are not touched.
func TestUsersMountIsKilled(t *testing.T) {
	m := newMachine(t)
	m.login(alice, "alice")
	m.login(bob, "bob")
	m.start()
	m.must(bob, "ls "+m.path("private/"))
	bobs := m.own(bob).PID
	m.outage(alice)
	m.must(alice, "echo kept > "+m.path("private/kept"))
	killed := m.own(alice).PID
	must(t, unix.Kill(killed, unix.SIGKILL))
	until(t, "it is dead", func() bool { return unix.Kill(killed, 0) == unix.ESRCH })
	m.proxy.SetDown(false)
	if got := m.must(alice, "cat "+m.path("private/kept")); got != "kept" {
		t.Errorf("after the kill: %q", got)
	}
	m.must(alice, rig.Bin+" sync")
	if n := m.object("private/" + aliceID + "/kept"); n != 5 {
		t.Errorf("the bucket has %d bytes", n)
	}
	if a, b := m.own(alice).PID, m.own(bob).PID; a == killed || b != bobs {
		t.Errorf("alice's process is %d, bob's %d", a, b)
	}
	m.front.Unmount(t)
}

// TestFrontIsKilled: users keep their mounts and open files, and the next front takes them over; with other settings they are ended, with
// their uploads, and started anew.
func TestFrontIsKilled(t *testing.T) {
	m := newMachine(t)
	m.login(alice, "alice")
	m.start()
	h := m.hold(alice, m.path("private/log"))
	first := m.own(alice)
	m.front.Kill()
	h.append(t, "one")
	m.start()
	if u := m.user(alice); u.State != "mounted" || u.Open == 0 {
		t.Errorf("the next front: %+v\n%s", u, m.front.Log())
	}
	h.append(t, "two")
	if got := m.must(alice, "cat "+m.path("private/log")); got != "one\ntwo" {
		t.Errorf("through it: %q", got)
	}
	if now := m.own(alice); now.PID != first.PID {
		t.Errorf("process %d, then %d", first.PID, now.PID)
	}
	h.end(t)
	m.front.Kill()
	m.start("--umask", "077")
	if got := m.must(alice, "cat "+m.path("private/log")); got != "one\ntwo" {
		t.Errorf("with other settings: %q\n%s", got, m.front.Log())
	}
	if now := m.own(alice); now.PID == first.PID {
		t.Errorf("still process %d", now.PID)
	}
	m.front.Unmount(t)
	if n := m.object("private/" + aliceID + "/log"); n != 8 {
		t.Errorf("the bucket has %d bytes", n)
	}
}

// TestUmountEndsAll: nobody who has a file open loses it: umount is refused and names the user's mount; when it is closed all
// mounts end.
func TestUmountEndsAll(t *testing.T) {
	m := newMachine(t)
	m.login(alice, "alice")
	m.start()
	h := m.hold(alice, m.path("private/log"))
	m.must(bob, "ls "+m.path("public/"))
	_, stderr, code := m.front.Run(t, "umount", m.front.Dir)
	if code != 1 || !strings.Contains(stderr, "user 4001") || !strings.Contains(stderr, "in use") {
		t.Errorf("while a file is open: exit %d: %s", code, stderr)
	}
	h.append(t, "goes on")
	m.must(bob, "ls "+m.path("public/"))
	h.end(t)
	inner := []int{m.own(alice).PID, m.own(bob).PID}
	m.front.Unmount(t)
	for _, pid := range inner {
		if err := unix.Kill(pid, 0); err != unix.ESRCH {
			t.Errorf("process %d: %v", pid, err)
		}
	}
	if n := m.object("private/" + aliceID + "/log"); n != 8 {
		t.Errorf("the bucket has %d bytes", n)
	}
}

// TestWhatIsLeftIsCounted: sync, and SIGTERM after --stop-timeout, tell with 75 how much is in all users' spools; the next front's
// mounts upload it.
func TestWhatIsLeftIsCounted(t *testing.T) {
	m := newMachine(t)
	m.login(alice, "alice")
	m.login(bob, "bob")
	m.start("--stop-timeout", "500ms")
	m.outage(alice, bob)
	m.must(alice, "echo kept > "+m.path("private/kept"))
	m.must(bob, "echo kept > "+m.path("private/kept")+" && echo more > "+m.path("private/more"))
	if _, stderr, code := m.front.Run(t, "sync", "--timeout", "1s"); code != 75 || !strings.Contains(stderr, "3 changes") {
		t.Errorf("sync: exit %d: %s", code, stderr)
	}
	out, _, _ := m.front.Run(t, "status")
	if !strings.Contains(out, "alice: mounted") || !strings.Contains(out, "bob: mounted") {
		t.Errorf("status: %s", out)
	}
	if out, stderr, _ := m.front.Run(t, "doctor"); strings.Contains(out+stderr, "panic") || !strings.Contains(out, m.front.Dir) {
		t.Errorf("doctor: %s%s", out, stderr)
	}
	if text, code := m.terminate(); code != 75 || !strings.Contains(text, "3 changes") {
		t.Errorf("SIGTERM: exit %d: %s", code, text)
	}
	m.proxy.SetDown(false)
	m.start()
	m.must(alice, "cat "+m.path("private/kept"))
	m.must(bob, "cat "+m.path("private/more"))
	m.front.Unmount(t)
	for _, key := range []string{"private/" + aliceID + "/kept", "private/" + bobID + "/kept", "private/" + bobID + "/more"} {
		if n := m.object(key); n != 5 {
			t.Errorf("the bucket has %d bytes of %s", n, key)
		}
	}
}

// terminate ends the front by SIGTERM and gives what it said last and its exit code.
func (m *machine) terminate() (string, int) {
	m.t.Helper()
	code := m.front.Terminate(m.t)
	text, err := os.ReadFile(m.top + "/mount.log")
	must(m.t, err)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1], code
}
