//go:build !nolocal

package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"
)

const (
	readyWithin = 10 * time.Second
	endWithin   = 3 * time.Second // from the end of the pipe to the kill

	socketName    = "s3.sock"
	maxSocketPath = 107 // bytes; unix(7): sun_path
)

// Server is a running embedded server.
type Server struct {
	endpoint string
	root     Credentials
	log      *zap.Logger

	pipe  *os.File // the child's standard input: closing it ends the child
	close sync.Once
	child *exec.Cmd
	ended chan struct{}
	asked chan struct{} // closed by Close
	err   error         // set before ended is closed
}

// Start starts a server and returns when it answers. What is wrong with the data
// directory or the address is told in one line within 10 seconds.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	s, err := start(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("embedded S3 server: %w", err)
	}
	return s, nil
}

func start(ctx context.Context, cfg Config) (*Server, error) {
	o, err := prepare(cfg)
	if err != nil {
		return nil, err
	}
	s := &Server{
		root: o.Root, log: cfg.Log,
		ended: make(chan struct{}), asked: make(chan struct{}),
	}
	replies, err := s.launch(o)
	if err != nil {
		cleanSocket(o)
		return nil, err
	}
	defer func() { _ = replies.Close() }() // read to its end or given up
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	rep, err := s.greet(ctx, o, replies)
	if err == nil && rep.Error != "" {
		err = errors.New(rep.Error)
	}
	if err != nil {
		_ = s.Close() // the reason is at hand already
		return nil, err
	}
	s.endpoint = "http://" + rep.Address
	if o.Socket {
		s.endpoint = "unix://" + o.Listen
	}
	return s, nil
}

// prepare checks cfg and makes what must exist before the child.
func prepare(cfg Config) (order, error) {
	if err := cfg.Validate(); err != nil {
		return order{}, err
	}
	data, err := filepath.Abs(cfg.Data)
	if err != nil {
		return order{}, err
	}
	if err := makeOwnDir(data); err != nil {
		return order{}, err
	}
	o := order{
		Data: data, Bucket: cfg.Bucket, Listen: cfg.Listen, Root: newCredentials(),
		Accounts: cfg.Accounts, Policy: cfg.Policy,
	}
	if cfg.StableCredentials {
		if o.Root, err = StableCredentials(data); err != nil {
			return order{}, err
		}
	}
	if o.Listen == "" {
		dir, err := socketDir()
		if err != nil {
			return order{}, fmt.Errorf("directory of the socket: %w", err)
		}
		o.Listen, o.Socket = filepath.Join(dir, socketName), true
	}
	return o, nil
}

// socketDir makes a private directory with a path short enough for a socket in it.
func socketDir() (string, error) {
	const pattern = "s3levelfs-local-" // MkdirTemp puts up to 10 digits behind it
	err := errors.New("no directory for temporary files has a path that is short enough")
	for _, base := range []string{os.Getenv("XDG_RUNTIME_DIR"), os.TempDir(), "/tmp"} {
		if base == "" || len(base)+len(pattern)+len(socketName)+12 > maxSocketPath {
			continue
		}
		var dir string
		if dir, err = os.MkdirTemp(base, pattern); err == nil { // mode 0700
			return dir, nil
		}
	}
	return "", err
}

func cleanSocket(o order) {
	if o.Socket {
		_ = os.RemoveAll(filepath.Dir(o.Listen)) // a leftover hurts nobody
	}
}

// launch starts the child and the goroutine that waits for it. That goroutine
// keeps its thread: the death signal is bound to the thread that forked.
func (s *Server) launch(o order) (*os.File, error) {
	replies, replyEnd, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	orders, pipe, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, replies.Close(), replyEnd.Close())
	}
	s.pipe = pipe
	tail := &lastLines{log: s.log}
	//nolint:noctx // the child ends with the pipe, not with the context of its start
	s.child = exec.Command("/proc/self/exe")
	s.child.Args = []string{os.Args[0], "(embedded S3 server)"}
	s.child.Env = childEnviron(os.Environ())
	s.child.Stdin = orders
	s.child.Stdout, s.child.Stderr = tail, tail
	s.child.ExtraFiles = []*os.File{replyEnd}
	s.child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := s.child.Start()
		started <- err
		if err == nil {
			s.await(tail)
			cleanSocket(o)
			close(s.ended)
		}
	}()
	err = <-started
	_ = orders.Close() // the child has its own
	_ = replyEnd.Close()
	if err != nil {
		return nil, errors.Join(err, replies.Close(), pipe.Close())
	}
	return replies, nil
}

// await waits for the child and keeps why it ended.
func (s *Server) await(tail *lastLines) {
	err := s.child.Wait()
	tail.flush()
	select {
	case <-s.asked:
	default:
		s.err = fmt.Errorf("embedded S3 server ended by itself: %v: %s", err, tail.last()) //nolint:errorlint // an *exec.ExitError says nothing to callers
		s.log.Error("embedded S3 server ended by itself", zap.Error(err), zap.String("said", tail.last()))
	}
}

// childEnviron leaves out the secrets of the parent.
func childEnviron(env []string) []string {
	out := []string{childEnv + "=" + childValue}
	for _, e := range env {
		if !strings.HasPrefix(e, "AWS_") && !strings.HasPrefix(e, childEnv+"=") {
			out = append(out, e)
		}
	}
	return out
}

// greet hands the order over and waits for the reply. If ctx ends first, the
// reading ends with the child, which the caller then closes.
func (s *Server) greet(ctx context.Context, o order, replies *os.File) (reply, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return reply{}, err
	}
	if _, err := s.pipe.Write(append(text, '\n')); err != nil {
		return reply{}, fmt.Errorf("the server ended before it was ready: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = replies.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	rep, err := readReply(replies)
	if err != nil && ctx.Err() != nil {
		return reply{}, fmt.Errorf("not ready in time: %w", context.Cause(ctx))
	}
	return rep, err
}

// Endpoint is the server's URL: http://HOST:PORT or unix:///SOCKET.
func (s *Server) Endpoint() string { return s.endpoint }

// Credentials are those of root, who may do everything.
func (s *Server) Credentials() Credentials { return s.root }

// Pid is the server's process id.
func (s *Server) Pid() int { return s.child.Process.Pid }

// Wait waits for the end of the server: nil after Close, else why it ended.
func (s *Server) Wait() error {
	<-s.ended
	return s.err
}

// Close ends the server and waits for it. Requests in flight are cut; what was
// acknowledged stays.
func (s *Server) Close() error {
	var err error
	s.close.Do(func() {
		close(s.asked)
		err = s.pipe.Close()
	})
	select {
	case <-s.ended:
	case <-time.After(endWithin):
		_ = s.child.Process.Kill() // it may have ended in this moment
		<-s.ended
	}
	return err
}
