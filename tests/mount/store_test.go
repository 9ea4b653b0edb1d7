package mount_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/fs"
	"github.com/s3levelfs/s3levelfs/tests/mount"
)

// ownKey is the key of a path in private/.
func ownKey(path string) string { return "private/" + mount.Identity + "/" + path }

// requests are those since the last forget, but the level's probe.
func requests(t *testing.T, m *mount.Mount) []string {
	t.Helper()
	m.Call(t, "Drain", struct{}{}, &struct{}{})
	var all, list []string
	m.Call(t, "Requests", struct{}{}, &all)
	for _, r := range all {
		if !strings.Contains(r, ".s3levelfs-probe-") {
			list = append(list, r)
		}
	}
	return list
}

func forget(t *testing.T, m *mount.Mount) {
	t.Helper()
	m.Call(t, "Drain", struct{}{}, &struct{}{})
	m.Call(t, "Forget", struct{}{}, &struct{}{})
}

// TestRequests: a file that any program writes is one PUT, never an empty one
// before it, and nothing is asked about a directory that was just listed. Uploads begin when the test
// asks, and listings do not age, however slow the machine is.
func TestRequests(t *testing.T) {
	o := mount.Options{Daemon: daemonName, Args: mount.StackOptions{MetadataTTL: time.Hour, Settle: time.Hour}}
	mount.Run(t, o, func(t *testing.T, m *mount.Mount) {
		dir := m.Path("private", "suite")
		must(t, os.MkdirAll(dir, 0o755))
		local := filepath.Join(t.TempDir(), "src")
		write(t, local, pattern(100_000, 1))
		shell := func(script string) func(*testing.T) {
			return func(t *testing.T) {
				t.Helper()
				if out, err := m.Command(t.Context(), "private/suite", "sh", "-c", script).CombinedOutput(); err != nil {
					t.Fatalf("%v: %s", err, out)
				}
			}
		}
		put := func(name string, size int) string { return fmt.Sprintf("put %s %d", ownKey("suite/"+name), size) }
		for _, tc := range []struct {
			name string
			run  func(t *testing.T)
			want []string
		}{
			{"cp", shell("cp " + local + " cp"), []string{put("cp", 100_000)}},
			{"printf", shell("printf x > printf"), []string{put("printf", 1)}},
			{"empty", shell(": > empty"), []string{put("empty", 0)}},
			{"touch", shell("touch touched"), []string{put("touched", 0)}},
			{"dd", shell("dd if=/dev/zero of=dd bs=1k count=64 status=none"), []string{put("dd", 64<<10)}},
			{"forked child", shell("{ printf a; (sleep 0.1; printf b) & wait; } > fork"), []string{put("fork", 2)}},
			{"chmod and touch after", shell("printf x > late; chmod 600 late; touch -d 2001-01-01 late"), []string{put("late", 1)}},
			{"written, removed", shell("printf x > gone; rm gone"), nil},
			{"temp and rename", shell("printf xy > .tmp; mv .tmp final"), []string{put("final", 2)}},
			{"go", func(t *testing.T) {
				f, err := os.Create(filepath.Join(dir, "go"))
				must(t, err)
				for range 10 {
					_, err = f.Write(pattern(10_000, 2))
					must(t, err)
				}
				must(t, f.Close())
			}, []string{put("go", 100_000)}},
			{"stat and list", shell("ls -l >/dev/null; stat cp >/dev/null; test -e nothing || true"), nil},
			{"read own bytes", shell("cat cp >/dev/null"), nil},
		} {
			names(t, dir) // the directory is fresh
			forget(t, m)
			tc.run(t)
			if diff := cmp.Diff(tc.want, requests(t, m)); diff != "" {
				t.Errorf("%s: requests (-want +got):\n%s", tc.name, diff)
			}
		}
	})
}

// TestForeignVersion: an old handle and an old map never show a byte of a new
// version; a new open does, once the listing is too old.
func TestForeignVersion(t *testing.T) {
	const ttl = 200 * time.Millisecond
	o := mount.Options{Daemon: daemonName, Args: mount.StackOptions{MetadataTTL: ttl}}
	mount.Run(t, o, func(t *testing.T, m *mount.Mount) {
		const size = 3 << 20 // several blocks: some are cached, some are not
		old := bytes.Repeat([]byte{'o'}, size)
		m.Call(t, "Put", mount.Object{Key: ownKey("f"), Data: old}, &struct{}{})
		path := m.Path("private", "f")
		f, err := os.Open(path)
		must(t, err)
		defer f.Close()
		mem, err := unix.Mmap(int(f.Fd()), 0, 1<<20, unix.PROT_READ, unix.MAP_SHARED)
		must(t, err)
		defer func() { must(t, unix.Munmap(mem)) }()
		first := make([]byte, 4096)
		if _, err := f.ReadAt(first, 0); err != nil || !bytes.Equal(first, old[:4096]) {
			t.Fatalf("the old version reads %q… (%v)", first[:8], err)
		}
		if !bytes.Equal(mem[:4096], old[:4096]) {
			t.Error("map of the old version")
		}

		for i, fresh := range [][]byte{bytes.Repeat([]byte{'n'}, size), []byte("short"), bytes.Repeat([]byte{'L'}, size+5000)} {
			m.Call(t, "Put", mount.Object{Key: ownKey("f"), Data: fresh}, &struct{}{})
			eventually(t, fmt.Sprintf("version %d at a new open", i), func() bool {
				got, err := os.ReadFile(path)
				return err == nil && bytes.Equal(got, fresh)
			})
			st, err := os.Stat(path)
			must(t, err)
			if st.Size() != int64(len(fresh)) {
				t.Errorf("size %d, want %d", st.Size(), len(fresh))
			}
			if !bytes.Equal(mem[:4096], old[:4096]) {
				t.Errorf("version %d shows in a map of the first one", i)
			}
			buf := make([]byte, 4096)
			for off := int64(0); off < size; off += 256 << 10 {
				n, err := f.ReadAt(buf, off)
				if err == nil && !bytes.Equal(buf[:n], old[:n]) || err != nil && !errors.Is(err, syscall.ESTALE) {
					t.Fatalf("version %d, old handle at %d: %d bytes %q…, %v", i, off, n, buf[:min(n, 8)], err)
				}
			}
		}
		m.Call(t, "Delete", ownKey("f"), &struct{}{})
		eventually(t, "the deletion", func() bool {
			_, err := os.Stat(path)
			return errors.Is(err, syscall.ENOENT)
		})
	})
}

// readProgram reads a file from one thread, past the page cache, and says what
// came of it. It handles the signals that it gets:
//
//	read quiet|urg PATH
func readProgram(args []string) int {
	runtime.LockOSThread()
	signals := make(chan os.Signal, 100)
	signal.Notify(signals, syscall.SIGURG, syscall.SIGINT)
	self := unix.Gettid()
	if args[0] == "urg" { // as the Go runtime does to itself, only more often
		go func() {
			for {
				time.Sleep(time.Millisecond)
				_ = unix.Tgkill(os.Getpid(), self, syscall.SIGURG)
			}
		}()
	}
	fd, err := unix.Open(args[1], unix.O_RDONLY|unix.O_DIRECT, 0)
	fmt.Println(self)
	var n int
	if err == nil {
		n, err = unix.Pread(fd, make([]byte, 8192), 0)
	}
	fmt.Printf("%d %v\n", n, err)
	return 0
}

// reader is a running readProgram.
type reader struct {
	cmd    *exec.Cmd
	out    *bufio.Reader
	thread int
}

func startReader(t *testing.T, m *mount.Mount, kind, path string) *reader {
	t.Helper()
	r := &reader{cmd: m.Program(t.Context(), "read", kind, path)}
	out, err := r.cmd.StdoutPipe()
	must(t, err)
	must(t, r.cmd.Start())
	r.out = bufio.NewReader(out)
	if _, err := fmt.Fscanln(r.out, &r.thread); err != nil {
		t.Fatal(err)
	}
	return r
}

// result is what the program says of its read.
func (r *reader) result(t *testing.T) string {
	t.Helper()
	line, err := r.out.ReadString('\n')
	must(t, err)
	must(t, r.cmd.Wait())
	return strings.TrimSpace(line)
}

// TestInterrupts on a store that does not answer: signals of the Go runtime
// change nothing, Ctrl-C ends the wait, and others are not disturbed.
func TestInterrupts(t *testing.T) {
	onMount(t, func(t *testing.T, m *mount.Mount, dir string) {
		path := func(name string) string { return filepath.Join(dir, name) }
		for _, name := range []string{"urg", "int", "kill"} {
			m.Call(t, "Put", mount.Object{Key: ownKey("suite/" + name), Data: pattern(8192, 1)}, &struct{}{})
		}
		eventually(t, "foreign files are listed", func() bool { return slices.Contains(names(t, dir), "urg") })
		for _, name := range []string{"urg", "int", "kill"} {
			_, err := os.Stat(path(name)) // only the reads will meet the stall
			must(t, err)
		}
		write(t, path("cached"), []byte("cached"))
		wantContent(t, path("cached"), []byte("cached"))

		m.Call(t, "Stall", true, &struct{}{})
		killed := startReader(t, m, "quiet", path("kill"))
		interrupted := startReader(t, m, "quiet", path("int"))
		urg := startReader(t, m, "urg", path("urg"))
		for _, r := range []*reader{killed, interrupted, urg} {
			eventually(t, "the reader hangs in its read", func() bool { return inSyscall(r, unix.SYS_PREAD64) })
		}
		wantContent(t, path("cached"), []byte("cached"))
		must(t, unix.Tgkill(interrupted.cmd.Process.Pid, interrupted.thread, syscall.SIGINT))
		must(t, killed.cmd.Process.Kill())
		time.Sleep(fs.InterruptGrace / 2) // the storm of SIGURG goes on meanwhile
		m.Call(t, "Release", "urg", &struct{}{})
		if got := urg.result(t); got != "8192 <nil>" {
			t.Errorf("under SIGURG: %q", got)
		}
		if got := interrupted.result(t); got != "-1 interrupted system call" {
			t.Errorf("after Ctrl-C: %q", got)
		}
		_ = killed.cmd.Wait() // killed: always an error
		m.Call(t, "Stall", false, &struct{}{})
		wantContent(t, path("int"), pattern(8192, 1))
	})
}

// inSyscall tells whether the reader's thread is in a system call.
func inSyscall(r *reader, number int) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/syscall", r.cmd.Process.Pid, r.thread))
	return err == nil && strings.HasPrefix(string(line), fmt.Sprintf("%d ", number))
}
