package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	iofs "io/fs"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/control"
	"github.com/s3levelfs/s3levelfs/fs"
	"github.com/s3levelfs/s3levelfs/fs/vfs"
	"github.com/s3levelfs/s3levelfs/internal/telemetry"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// controller answers the control socket of a session.
type controller struct {
	control.Hand
	s *session
}

func (s *session) status() *control.MountStatus {
	state, kernel, handles := "mounting", map[string]int64{}, int64(0)
	select {
	case <-s.mounted:
		state, kernel, handles = "mounted", s.fuse.Asked(), s.fuse.Handles()
	default:
	}
	if s.draining.Load() {
		state = "draining"
	}
	used, _ := s.spool.Usage()
	free, total := control.FreeOn(s.state)
	onDisk, noDisk := s.disk.stats()
	return &control.MountStatus{
		Mountpoint: s.mountpoint, State: state, PID: os.Getpid(), Version: cmdline.Version, Started: s.started,
		Bucket: s.cfg.Bucket, Endpoint: s.cfg.Endpoint, Identity: s.backend.Identity.ID, Login: s.who.Status(),
		Spool: s.state, SpoolBytes: used, SpoolFree: free, SpoolLimit: s.cfg.SpoolSize, SpoolKeep: spool.KeepFree(s.cfg.KeepFree).Of(total),
		Uploads: control.UploadsOf(s.uploader.Status()), Events: s.seen.Counts(), Tracking: s.trackingStatus(), Triggers: s.triggerStatus(),
		Cache: s.cache.Stats(), Disk: onDisk, NoDisk: noDisk,
		Requests: s.backend.Store.Stats(), Kernel: kernel, Handles: handles, Goroutines: runtime.NumGoroutine(),
	}
}

func (c *controller) Status(context.Context) (any, error) { return c.s.status(), nil }

func (c *controller) Sync(ctx context.Context, path string) (telemetry.Left, error) {
	prefixes, err := c.prefixes(path)
	if err != nil {
		return telemetry.Left{}, err
	}
	var sum telemetry.Left
	for _, p := range prefixes {
		left, err := c.s.uploader.Wait(ctx, p)
		sum.Files += left.Ops
		sum.Bytes += left.Bytes
		sum.Failed += left.Failed
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return sum, err
		}
	}
	if sum.Failed > 0 {
		sum.Error = c.s.uploader.Status().LastError
	}
	return sum, nil
}

// prefixes are the key prefixes that a path of the mount covers.
func (c *controller) prefixes(path string) ([]string, error) {
	t, err := c.s.backend.Policy.Resolve(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", path, err)
	case path == "":
		return []string{""}, nil
	case t.Kind == levels.Entry:
		return []string{t.Key}, nil
	case t.Prefix != "":
		return []string{t.Prefix}, nil
	}
	return []string{""}, nil
}

func (c *controller) Unmount(ctx context.Context) error {
	select {
	case <-c.s.mounted:
	case <-ctx.Done():
		return fmt.Errorf("%s is not mounted yet: %w", c.s.mountpoint, ctx.Err())
	}
	c.s.unmounting.RLock()
	defer c.s.unmounting.RUnlock()
	err := c.s.fuse.Unmount()
	if errors.Is(err, fs.ErrBusy) {
		return fmt.Errorf("%s is in use: close what has files open or its working directory in it (`fuser -vm %s` names it), then try again",
			c.s.mountpoint, c.s.mountpoint)
	}
	return err
}

func (c *controller) Explain(ctx context.Context, path string) (any, error) {
	t, err := c.s.backend.Policy.Resolve(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	e := &control.Explanation{Path: path, Level: cmp.Or(t.Place, t.Level.String()), Owner: t.Owner, Key: t.Key, Rights: rightsOf(t.Grants), Kind: "absent"}
	ref := vfs.Ref{Path: path}
	a, err := c.s.vfs.Stat(ctx, ref)
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, iofs.ErrNotExist):
		return e, nil
	case err != nil:
		e.Kind, e.Error = "unknown", err.Error()
		return e, nil //nolint:nilerr // what is known is the answer, the failure a part of it
	}
	e.Mode = fmt.Sprintf("%04o", a.Mode&0o7777)
	e.Modified, e.Size = a.Mtime, a.Size
	switch a.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		e.Kind, e.Size = "directory", 0
	case unix.S_IFLNK:
		e.Kind = "symlink"
	default:
		e.Kind = "file"
	}
	c.addXattrs(ctx, ref, e)
	return e, nil
}

// addXattrs adds what the read-only attributes of the mount say.
func (c *controller) addXattrs(ctx context.Context, ref vfs.Ref, e *control.Explanation) {
	e.Details = map[string]string{}
	for _, name := range []string{"etag", "storage-class"} {
		if v, err := c.s.vfs.GetXattr(ctx, ref, "user.s3levelfs."+name); err == nil {
			e.Details[name] = string(v)
		}
	}
	if v, err := c.s.vfs.GetXattr(ctx, ref, "user.s3levelfs.state"); err == nil {
		e.State = string(v)
	}
	if v, err := c.s.vfs.GetXattr(ctx, ref, "user.s3levelfs.error"); err == nil {
		e.Error = string(v)
	}
}

// rightsOf lists a grant's operations by name.
func rightsOf(g levels.Perm) []string {
	names := []string{}
	for _, r := range []struct {
		perm levels.Perm
		name string
	}{{levels.List, "list"}, {levels.Get, "get"}, {levels.Put, "put"}, {levels.Delete, "delete"}} {
		if g.Has(r.perm) {
			names = append(names, r.name)
		}
	}
	return names
}
