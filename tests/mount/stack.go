package mount

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/cache"
	"github.com/s3levelfs/s3levelfs/fs"
	"github.com/s3levelfs/s3levelfs/fs/vfs"
	"github.com/s3levelfs/s3levelfs/fs/vfs/attrs"
	"github.com/s3levelfs/s3levelfs/fs/vfs/listing"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// Identity is who the mounts of tests belong to.
const Identity = "eu-central-1:test"

// StackOptions are the settings of a whole s3levelfs in one process. They travel
// as JSON.
type StackOptions struct {
	MetadataTTL time.Duration // 0 = 5 s
	Settle      time.Duration // after a close, before its upload; 0 = 20 ms
	ReadOnly    bool
	AllowOther  bool
	Remembered  int // files that the kernel may remember; 0 = 131,072
}

// Stack is everything between a store and a mount, put together as the program
// does it.
type Stack struct {
	VFS      *vfs.FS
	Uploader *uploader.Uploader
	Server   *fs.Server // once it is mounted

	options  StackOptions
	spool    *spool.Spool
	notifier *fs.Notifier
	log      *zap.Logger
	closers  []func() error
}

// NewStack puts it together over st, with its state in state. st stays the
// caller's. With S3LEVELFS_TEST_LOG set it logs to standard error.
func NewStack(state string, st store.Store, o StackOptions) (s *Stack, err error) {
	s = &Stack{options: o, log: zap.NewNop()}
	if os.Getenv("S3LEVELFS_TEST_LOG") != "" {
		s.log = zap.Must(zap.NewDevelopment())
	}
	s.notifier = fs.NewNotifier(s.log)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Stop())
		}
	}()
	policy, err := levels.New(levels.Identity{ID: Identity, Authenticated: true}, levels.Options{})
	if err != nil {
		return nil, err
	}
	sp, recovery, err := spool.Open(spool.Config{Dir: filepath.Join(state, "spool"), Owner: "test", Log: s.log})
	if err != nil {
		return nil, err
	}
	s.spool = sp
	s.onStop(sp.Close)
	blocks := cache.New(st, cache.Config{Log: s.log})
	s.onStop(quiet(blocks.Close))
	known := attrs.New(st, attrs.Config{
		Dir: filepath.Join(state, "attrs"), MetadataTTL: o.MetadataTTL, Log: s.log,
		Own: func(key string) bool { return !strings.HasPrefix(key, "public/") },
	})
	s.onStop(quiet(known.Close))
	list := listing.New(st, listing.Config{TTL: o.MetadataTTL, Log: s.log})
	s.onStop(quiet(list.Close))
	s.Uploader, err = uploader.New(uploader.Config{
		Store: st, Spool: sp, Recovery: recovery, Base: vfs.NewBase(blocks), Stored: vfs.Keep(blocks), Levels: levelsOf(policy),
		Log: s.log, Stamp: vfs.Stamp, Settle: o.Settle,
		Events: func(e uploader.Event) { s.VFS.Event(e) }, // they begin with Start
	})
	if err != nil {
		return nil, err
	}
	s.VFS, err = vfs.New(vfs.Deps{
		Policy: policy, Store: st, Uploader: s.Uploader, Cache: blocks, Listing: list, Attrs: known,
	}, vfs.Config{
		UID: uint32(os.Getuid()), GID: uint32(os.Getgid()), ReadOnly: o.ReadOnly,
		MetadataTTL: o.MetadataTTL, Notify: s.notifier.Invalidate, Log: s.log,
	})
	if err != nil {
		return nil, err
	}
	s.onStop(quiet(s.VFS.Close))
	s.Uploader.Start()
	s.onStop(s.drain)
	return s, nil
}

// Mount mounts it. Stop unmounts.
func (s *Stack) Mount(dir string) error {
	server, err := fs.Mount(dir, s.VFS, fs.Options{
		ReadOnly: s.options.ReadOnly, AllowOther: s.options.AllowOther,
		Remembered: s.options.Remembered, Notifier: s.notifier, SyncNames: s.spool.Sync, Log: s.log,
	})
	if err != nil {
		return err
	}
	s.Server = server
	s.onStop(server.Unmount)
	return nil
}

// levelsOf tells the uploader what the policy grants.
func levelsOf(policy *levels.Policy) []uploader.Level {
	var list []uploader.Level
	for _, l := range policy.LevelPrefixes() {
		list = append(list, uploader.Level{
			Prefix: l.Prefix, CanPut: l.Grants.Has(levels.Put), CanGet: l.Grants.Has(levels.Get),
			CanList: l.Grants.Has(levels.List), CanDelete: l.Grants.Has(levels.Delete),
		})
	}
	return list
}

func quiet(f func()) func() error { return func() error { f(); return nil } }

func (s *Stack) onStop(f func() error) { s.closers = append(s.closers, f) }

// drain uploads what is pending and ends the uploader.
func (s *Stack) drain() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout/2)
	defer cancel()
	left, err := s.Uploader.Close(ctx)
	if left > 0 {
		err = errors.Join(err, fmt.Errorf("%d operations left in the spool", left))
	}
	return err
}

// Stop undoes everything, last in first out.
func (s *Stack) Stop() error {
	var errs []error
	for _, stop := range slices.Backward(s.closers) {
		errs = append(errs, stop())
	}
	s.closers = nil
	return errors.Join(errs...)
}

// OnStore makes a daemon of a store: open gives it, with what controls it.
func OnStore(open func(state string) (store.Store, func(*Stack) any, error)) Daemon {
	return func(dir, state string, args json.RawMessage) (*Served, error) {
		var o StackOptions
		if err := json.Unmarshal(args, &o); err != nil {
			return nil, err
		}
		st, control, err := open(state)
		if err != nil {
			return nil, err
		}
		s, err := NewStack(state, st, o)
		if err != nil {
			return nil, errors.Join(err, st.Close())
		}
		if err := s.Mount(dir); err != nil {
			return nil, errors.Join(err, s.Stop(), st.Close())
		}
		stop := func() error { return errors.Join(s.Stop(), st.Close()) }
		return &Served{Control: control(s), Stop: stop}, nil
	}
}
