package fs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"syscall"

	gofs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/fs/vfs"
)

// Sizes of the conversation with the kernel.
const (
	maxRequest    = 1 << 20   // bytes of one read or write: the kernel's own limit
	maxBackground = 128       // asynchronous requests (readahead, pages of maps) at once
	maxInflight   = 256 << 20 // bytes of requests taken from the kernel and not answered, if Options do not say
)

// Options of a mount. The zero value works.
type Options struct {
	// Name is the type in mount tables, "fuse.<Name>"; "" = "s3levelfs".
	Name string
	// FsName is the source in mount tables, such as the bucket; "" = Name.
	FsName string

	ReadOnly bool
	// AllowOther lets other users in. The kernel then checks mode bits and
	// owners (default_permissions), as nobody else would; without it only the
	// mounting user gets in and vfs decides alone. An ordinary user needs
	// user_allow_other in /etc/fuse.conf.
	AllowOther bool

	// Inflight bounds in bytes the requests that are taken from the kernel and not answered: their
	// data, to be read or written. 0 = 256 MiB.
	Inflight int64

	// Remembered is how many files the kernel may remember, which is to be told to drop others; each costs about 1 KiB.
	// 0 = 131,072.
	Remembered int

	// Notifier is the one whose Invalidate vfs was given; nil = none.
	Notifier *Notifier
	// SyncNames makes creates, renames and removals durable: fsync(2) of a
	// directory. nil = fsync of a directory does nothing.
	SyncNames func(context.Context) error

	Log   *zap.Logger // nil = none
	Debug bool        // log every request
}

// Server is a mounted file system. Its goroutines end when it is unmounted,
// by whom ever.
type Server struct {
	mountpoint string
	fuse       *fuse.Server
	asked      *counts
	known      *remembered // nil: the kernel may remember all
	notifier   *Notifier   // nil: nobody invalidates
	patients   *patients
	log        *zap.Logger
	done       chan struct{} // closed when the kernel has let go
}

// Mount mounts v on an existing empty directory and returns when it can be
// used. Errors are a *[MountError].
func Mount(mountpoint string, v *vfs.FS, o Options) (*Server, error) {
	o = o.withDefaults()
	dir, err := CheckMountpoint(mountpoint)
	if err != nil {
		return nil, err
	}
	raw, root := nodeFS(v, o)
	mo := mountOptions(o)
	s, err := serveAt(dir, raw, &mo, o, &Server{known: root.mount.known, notifier: o.Notifier, patients: &root.mount.patients})
	if err != nil {
		return nil, err
	}
	if s.notifier != nil {
		s.notifier.root.Store(root)
	}
	go s.serve()
	if err := raiseReadahead(dir); err != nil {
		o.Log.Debug("readahead stays at the kernel's default", zap.Error(err))
	}
	return s, nil
}

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Name == "" {
		o.Name = "s3levelfs"
	}
	if o.FsName == "" {
		o.FsName = o.Name
	}
	if o.SyncNames == nil {
		o.SyncNames = func(context.Context) error { return nil }
	}
	return o
}

// serveAt mounts raw at dir for s, whose parts beside the kernel's connection are set. Requests are answered by s.serve.
func serveAt(dir string, raw fuse.RawFileSystem, mo *fuse.MountOptions, o Options, s *Server) (*Server, error) {
	fd, err := attach(dir, o)
	if err != nil {
		return nil, err
	}
	s.mountpoint, s.asked, s.log, s.done = dir, &counts{RawFileSystem: raw}, o.Log, make(chan struct{})
	s.fuse, err = fuse.NewServer(s.asked, "/dev/fd/"+strconv.Itoa(fd), mo)
	if err != nil {
		// go-fuse owns the descriptor once it got so far as to take it.
		err = &MountError{Mountpoint: dir, Kind: ErrMount, Err: err, Mend: "see the log"}
		return nil, errors.Join(err, detach(dir, true))
	}
	return s, nil
}

// nodeFS makes the raw file system around the tree of nodes.
func nodeFS(v *vfs.FS, o Options) (fuse.RawFileSystem, *node) {
	m := &mount{vfs: v, syncNames: o.SyncNames, notifier: o.Notifier, log: o.Log}
	m.known = newRemembered(o.Remembered, m.forgettable)
	root := &node{mount: m}
	raw := gofs.NewNodeFS(root, &gofs.Options{
		NullPermissions: true, // mode 0 is a mode
		RootStableAttr:  &gofs.StableAttr{Ino: vfs.RootIno},
		Logger:          stdLog(o.Log, zap.WarnLevel),
	})
	return negative{raw}, root
}

// mountOptions says what is asked of the kernel at INIT.
func mountOptions(o Options) fuse.MountOptions {
	return fuse.MountOptions{
		Name:                    o.Name,
		FsName:                  o.FsName,
		MaxWrite:                maxRequest,
		MaxReadAhead:            maxRequest,
		MaxBackground:           maxBackground,
		MaxInflightRequestBytes: cmp.Or(int(o.Inflight), maxInflight),
		// A node is one version (see the package's doc): pages go when
		// vfs says so, not whenever an mtime moves, as each own write does.
		ExplicitDataCacheControl: true,
		// Without O_TRUNC in the open an overwrite would first be a change of
		// the old version. KILLPRIV_V2 spares a GETXATTR of
		// security.capability in front of every write(2).
		ExtraCapabilities: fuse.CAP_ATOMIC_O_TRUNC | fuse.CAP_HANDLE_KILLPRIV_V2,
		// No reply is a descriptor. Where splicing is on, go-fuse fills a pipe with each short reply's header before it sees that.
		DisableSplice: true,
		Debug:         o.Debug,
		Logger:        stdLog(o.Log, zap.DebugLevel),
		PanicHandler:  panicHandler(o.Log),
	}
}

// serve answers requests until the file system is unmounted.
func (s *Server) serve() {
	defer close(s.done)
	var shedding sync.WaitGroup
	stop := make(chan struct{})
	if s.known != nil {
		shedding.Go(func() { s.known.run(stop) })
	}
	s.fuse.Serve()
	s.patients.wait()
	close(stop)
	shedding.Wait() // the kernel takes no more notices: it ends
	if s.notifier != nil {
		s.notifier.root.Store(nil)
		s.notifier.again.Wait() // the kernel takes no more notices: they end
	}
}

// Mountpoint is the absolute path of the mount, symlinks resolved.
func (s *Server) Mountpoint() string { return s.mountpoint }

// Asked counts the requests of the kernel since the mount, by kind: lookup, getattr, open (create included), read, write, flush,
// readdir. What the kernel answers from its caches is not among them.
func (s *Server) Asked() map[string]int64 { return s.asked.snapshot() }

// Handles is how many files and directories programs have open.
func (s *Server) Handles() int64 { return s.asked.handles.Load() }

// Remembered is how many files and symlinks the kernel remembers.
func (s *Server) Remembered() int { return s.known.count() }

// Wait returns when the file system was unmounted, by umount(8) too.
func (s *Server) Wait() { <-s.done }

// Done is closed when the file system was unmounted.
func (s *Server) Done() <-chan struct{} { return s.done }

// Unmount unmounts and waits for the last request. A mount in use gives
// [ErrBusy] and goes on. A mount that is gone already is no error.
func (s *Server) Unmount() error {
	return s.unmount(false)
}

// UnmountLazy takes the mount out of the tree at once; those who have files
// open in it keep them, and requests end when the last one is gone: [Server.Wait] waits
// for that.
func (s *Server) UnmountLazy() error {
	return s.unmount(true)
}

func (s *Server) unmount(lazy bool) error {
	select {
	case <-s.done:
		return nil
	default:
	}
	err := detach(s.mountpoint, lazy)
	if errors.Is(err, syscall.EINVAL) { // not a mountpoint: somebody else was faster
		err = nil
	}
	if err != nil {
		return fmt.Errorf("unmount %s: %w", s.mountpoint, err)
	}
	if !lazy {
		s.Wait()
	}
	return nil
}

// Abort takes the mount away whatever is going on in it: whoever waits for the mount gets an error
// at once. For an ordinary user, whom the kernel does not let force it, the mount only leaves the
// tree: those who have files open keep them until this process ends.
func (s *Server) Abort() error {
	err := unix.Unmount(s.mountpoint, unix.MNT_FORCE|unix.MNT_DETACH)
	if errors.Is(err, syscall.EPERM) {
		err = detachHelper(s.mountpoint, true)
	}
	if err != nil && !errors.Is(err, syscall.EINVAL) { // EINVAL: not a mountpoint, somebody else was faster
		return fmt.Errorf("abort %s: %w", s.mountpoint, err)
	}
	return nil
}
