package mount

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	readyTimeout = 20 * time.Second // for the daemon to mount
	stopTimeout  = 20 * time.Second // for the daemon to unmount
	readyWord    = "ready"

	// quickExit spares the second that a program built with -race waits at its end.
	quickExit = "GORACE=atexit_sleep_ms=0"
)

// playInit is process 1 of the namespaces: it starts daemon and worker and gives
// the worker's exit code, or 1 when the daemon failed.
func playInit(s spec) int {
	if err := isolate(s.UID); err != nil {
		fmt.Println(err)
		return 1
	}
	if s.Daemon == "" {
		return runWorker(s)
	}
	d, err := startDaemon(s)
	if err != nil {
		fmt.Println("daemon:", err)
		return 1
	}
	code := runWorker(s)
	if err := d.stop(); err != nil {
		fmt.Println("daemon:", err)
		code = max(code, 1)
	}
	for _, left := range mounts() {
		if strings.Contains(left, s.Dir) {
			fmt.Println("the daemon left its mount:", left)
			code = max(code, 1)
		}
	}
	return code
}

// isolate makes /proc that of the PID namespace, and /dev/fuse openable by uid as
// distributions have it. Both are seen in this mount namespace only.
func isolate(uid int) error {
	if _, err := os.Stat("/dev/fuse"); err != nil {
		return fmt.Errorf("tests with mounts need /dev/fuse: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if uid == 0 {
		return nil
	}
	return publicDevice()
}

// publicDevice puts a /dev/fuse of mode 0666 over the machine's own.
func publicDevice() error {
	dir, err := os.MkdirTemp("", "dev")
	if err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID, "mode=755"); err != nil {
		return fmt.Errorf("mount tmpfs: %w", err)
	}
	node := dir + "/fuse"
	const mode = 0o666
	if err := unix.Mknod(node, unix.S_IFCHR|mode, int(unix.Mkdev(10, 229))); err != nil {
		return fmt.Errorf("mknod: %w", err)
	}
	if err := os.Chmod(node, mode); err != nil { // Mknod obeys the umask
		return err
	}
	if err := unix.Mount(node, "/dev/fuse", "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind /dev/fuse: %w", err)
	}
	if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
		return err
	}
	return os.Remove(dir)
}

// child is this program in another role, as the spec's user.
func child(ctx context.Context, s spec, role string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), envRole+"="+role, quickExit)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if s.UID != 0 {
		cmd.Env = append(cmd.Env, "HOME="+s.State)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(s.UID), Gid: uint32(s.UID)}}
	}
	return cmd
}

// runWorker runs the test in the worker. PID 1's end bounds its time.
func runWorker(s spec) int {
	cmd := child(context.Background(), s, "worker", "-test.run="+s.Pattern, "-test.v", "-test.count=1")
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	if err != nil {
		fmt.Println("worker:", err)
		return 1
	}
	return 0
}

// daemon is the running daemon as init sees it.
type daemon struct {
	cmd  *exec.Cmd
	life io.Closer // closed to make it stop
}

// startDaemon starts it and waits until it has mounted.
func startDaemon(s spec) (*daemon, error) {
	cmd := child(context.Background(), s, "daemon")
	life, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	ready, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer ready.Close()
	cmd.ExtraFiles = []*os.File{theirs}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if err := theirs.Close(); err != nil {
		return nil, err
	}
	if err := ready.SetReadDeadline(time.Now().Add(readyTimeout)); err != nil {
		return nil, err
	}
	word, err := io.ReadAll(ready)
	if string(word) != readyWord {
		return nil, fmt.Errorf("did not mount: %s%w", word, errors.Join(err, cmd.Process.Kill(), cmd.Wait()))
	}
	return &daemon{cmd: cmd, life: life}, nil
}

// stop lets it unmount, or kills it.
func (d *daemon) stop() error {
	timer := time.AfterFunc(stopTimeout, func() {
		fmt.Println("the daemon did not stop; its stacks:")
		_ = d.cmd.Process.Signal(syscall.SIGQUIT) // it may have ended meanwhile
	})
	defer timer.Stop()
	return errors.Join(d.life.Close(), d.cmd.Wait())
}

// playDaemon mounts, tells it, and unmounts when its standard input ends.
func playDaemon(s spec, roles Roles) int {
	ready := os.NewFile(3, "ready")
	run, ok := roles.Daemons[s.Daemon]
	if !ok {
		_, _ = fmt.Fprintf(ready, "no daemon %q", s.Daemon)
		return 1
	}
	served, err := run(s.Dir, s.State, s.Args)
	if err != nil {
		_, _ = fmt.Fprint(ready, err) // init prints it
		return 1
	}
	if served.Control != nil {
		if err := serveControl(s.Socket, served.Control); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	_, _ = fmt.Fprint(ready, readyWord)
	_ = ready.Close()
	_, _ = io.Copy(io.Discard, os.Stdin) // until init closes it
	if err := served.Stop(); err != nil {
		fmt.Println("stop:", err)
		return 1
	}
	return 0
}

// serveControl answers calls until the process ends.
func serveControl(socket string, control any) error {
	server := rpc.NewServer()
	if err := server.RegisterName("Control", control); err != nil {
		return err
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	go server.Accept(l)
	return nil
}
