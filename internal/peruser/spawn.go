package peruser

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/internal/telemetry"
)

// SpawnConfig says how users' mounts are started.
type SpawnConfig struct {
	Exe  string   // the program
	Args []string // of its `mount`, all but state and cache directory and mountpoint; no secrets, as everybody sees them
	// Base has the mountpoints, named by uid. It is made; every directory above it lets all users pass.
	Base string
	// State and Cache are directories for all users, each of whom has one named by the uid there; "" = below the user's home.
	State, Cache string
	Environ      []string
	// ReadyVar is the variable that tells the program on which descriptor it says that it is ready.
	ReadyVar string
	UIDs     UIDMap // that this process can be
	LookUp   func(ctx context.Context, uid uint32) (Account, error)
}

// StartError is what the program said of a mount that did not come up.
type StartError struct {
	Code int // exit code
	Text string
}

func (e *StartError) Error() string { return e.Text }

// Unwrap gives the errno for the caller: what is a matter of rights or settings is EACCES, else EIO.
func (e *StartError) Unwrap() error {
	if e.Code == exitPermission || e.Code == exitConfig {
		return unix.EACCES
	}
	return unix.EIO
}

// The program's exit codes that matter here.
const (
	exitPermission = 77
	exitConfig     = 78
)

const (
	// startTimeout bounds a start: an earlier mount's drain is waited for, and requests to three services.
	startTimeout = 40 * time.Second
	// killAfter is what a start that was given up may take to end.
	killAfter = 10 * time.Second
)

// Spawner is a [Starter] of processes.
type Spawner struct {
	cfg      SpawnConfig
	settings string // sum
	log      *zap.Logger

	lock *flock.Flock // of Base: two fronts would take each other's mounts away

	mu   sync.Mutex
	kept []*process // that are or were watched
}

// NewSpawner makes the directories that all users have in common.
func NewSpawner(cfg SpawnConfig) (*Spawner, error) {
	for _, dir := range []string{filepath.Dir(cfg.Base), cfg.Base, cfg.State, cfg.Cache} {
		if dir == "" {
			continue
		}
		if err := CommonDir(dir); err != nil {
			return nil, fmt.Errorf("directory of all users: %w", err)
		}
	}
	sum := sha256.Sum256([]byte(strings.Join(append(slices.Clone(cfg.Args), cfg.State, cfg.Cache), "\x00")))
	return &Spawner{cfg: cfg, settings: hex.EncodeToString(sum[:10]), log: zap.NewNop(), lock: flock.New(filepath.Join(cfg.Base, "lock"))}, nil
}

// Lock waits for an earlier front at the same mountpoint, which ends users' mounts, for as long as ctx allows. It comes before
// everything else; Close gives the lock back.
func (s *Spawner) Lock(ctx context.Context) error {
	if _, err := s.lock.TryLockContext(ctx, lockPoll); err != nil {
		return fmt.Errorf("%s: an earlier front of this mountpoint still ends users' mounts, which upload: wait for it, or mount elsewhere (%w)", s.lock.Path(), err)
	}
	return nil
}

const lockPoll = 50 * time.Millisecond

// SetLog has it log, from before the first start on.
func (s *Spawner) SetLog(log *zap.Logger) { s.log = log }

// Dir is where a user's mount is.
func (s *Spawner) Dir(uid uint32) string {
	return filepath.Join(s.cfg.Base, strconv.FormatUint(uint64(uid), 10))
}

// keep has Close let go of a process.
func (s *Spawner) keep(p *process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = slices.DeleteFunc(s.kept, func(old *process) bool {
		return ended(old)
	})
	s.kept = append(s.kept, p)
}

// Close lets go of the processes that still run, and of the lock.
func (s *Spawner) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.kept {
		p.letGo()
	}
	s.kept = nil
	_ = s.lock.Close() // the process's end would do
}

// Start starts the mount of a user, as that user, and waits until it can be used.
func (s *Spawner) Start(ctx context.Context, uid uint32) (Mount, error) {
	if !s.cfg.UIDs.Has(uid) {
		return nil, fmt.Errorf("uid %d is not one of this user namespace (/proc/self/uid_map): %w", uid, unix.EACCES)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	a, err := s.cfg.LookUp(ctx, uid)
	if err != nil {
		return nil, err
	}
	args, err := s.places(a)
	if err != nil {
		return nil, err
	}
	dir, err := s.mountpoint(a)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(s.cfg.Exe, append(args, dir)...) //nolint:gosec,noctx // our own executable; the mount outlives the call that starts it
	cmd.Dir, cmd.Env = "/", environ(s.cfg.Environ, a, s.cfg.Base)
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Credential: credential(a)}
	hello, err := s.launch(ctx, cmd)
	if err != nil {
		removeMount(dir) // of a process that was killed
		return nil, err
	}
	return s.running(a, cmd, dir, hello)
}

// credential is that of a login of the user: no group of root's stays.
func credential(a Account) *syscall.Credential {
	return &syscall.Credential{Uid: a.UID, Gid: a.GID, Groups: slices.Clone(a.Groups)}
}

// places are the arguments with the user's own directories.
func (s *Spawner) places(a Account) (args []string, err error) {
	args = slices.Concat([]string{"mount", "--foreground"}, s.cfg.Args)
	for _, d := range []struct{ option, dir string }{{"state-dir", s.cfg.State}, {"cache-dir", s.cfg.Cache}} {
		if d.dir == "" {
			continue
		}
		own, err := ownDir(d.dir, a)
		if err != nil {
			return nil, fmt.Errorf("--%s: %w", d.option, err)
		}
		args = append(args, "--"+d.option+"="+own)
	}
	return args, nil
}

// mountpoint makes the directory to mount at; a mount that nobody serves any more is removed from it.
func (s *Spawner) mountpoint(a Account) (string, error) {
	removeMount(s.Dir(a.UID))
	dir, err := ownDir(s.cfg.Base, a)
	if err != nil {
		return "", fmt.Errorf("mountpoint: %w", err)
	}
	return dir, nil
}

// greeting is what the program says when it is ready, or is not.
type greeting struct {
	Code   int
	Error  string
	Socket string
}

// launch starts the program and waits until it has said one or the other. After an error its process has ended.
func (s *Spawner) launch(ctx context.Context, cmd *exec.Cmd) (hello greeting, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return hello, err
	}
	defer func() { _ = r.Close() }()
	cmd.ExtraFiles = []*os.File{w}
	cmd.Env = append(cmd.Env, s.cfg.ReadyVar+"=3")
	err = cmd.Start()
	_ = w.Close()
	if err != nil {
		return hello, fmt.Errorf("%w: is it in a directory that all users may pass?", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = r.SetReadDeadline(time.Now()) })
	defer stop()
	err = json.NewDecoder(&limited{r, maxAnswer}).Decode(&hello)
	switch {
	case err == nil && hello.Error == "":
		return hello, nil
	case err == nil:
		err = &StartError{hello.Code, hello.Error}
	case ctx.Err() != nil:
		err = ctx.Err()
	default:
		err = fmt.Errorf("the mount's process ended before it was ready: %w", err)
	}
	_ = cmd.Process.Signal(unix.SIGTERM)
	kill := time.AfterFunc(killAfter, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	_ = cmd.Wait() // what was wrong is known
	return hello, err
}

// limited ends a stream with an error after so many bytes.
type limited struct {
	r    *os.File
	left int
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errors.New("too long an answer")
	}
	n, err := l.r.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}

// running notes a mount that is ready and watches it.
func (s *Spawner) running(a Account, cmd *exec.Cmd, dir string, hello greeting) (Mount, error) {
	pid := cmd.Process.Pid
	p := &process{
		dir: dir, client: telemetry.Dial(hello.Socket).Limit(maxAnswer), process: cmd.Process, child: cmd,
		forget: func() { _ = os.Remove(s.recordFile(a.UID)) },
	}
	err := s.note(record{UID: a.UID, PID: pid, Socket: hello.Socket})
	if err == nil {
		err = watchProcess(p, pid)
	}
	if err != nil {
		_ = cmd.Process.Signal(unix.SIGTERM)
		_ = cmd.Wait()
		removeMount(dir)
		return nil, err
	}
	s.keep(p)
	s.log.Info("a user's mount is ready", zap.Uint32("uid", a.UID), zap.String("user", a.Name), zap.String("mountpoint", dir), zap.Int("pid", pid))
	return p, nil
}
