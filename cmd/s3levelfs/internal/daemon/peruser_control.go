package daemon

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"os/user"
	"strconv"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/control"
	"github.com/s3levelfs/s3levelfs/fs"
	"github.com/s3levelfs/s3levelfs/internal/telemetry"
)

func (f *front) status(ctx context.Context) *control.MountStatus {
	state := "mounting"
	select {
	case <-f.mounted:
		state = "mounted"
	default:
	}
	s := &control.MountStatus{
		Mountpoint: f.mountpoint, State: state, PID: os.Getpid(), Version: cmdline.Version, Started: f.started,
		Bucket: f.cfg.Bucket, Endpoint: f.cfg.Endpoint, Spool: f.state(), SpoolFree: -1,
		Uploads: control.UploadStatus{Levels: []control.LevelStatus{}, SpoolList: telemetry.SpoolList{Items: []telemetry.Item{}, Kept: []telemetry.Kept{}}},
		PerUser: &control.PerUserStatus{Max: f.cfg.PerUserMax, Idle: f.cfg.PerUserIdle.String(), Users: []control.UserStatus{}},
	}
	for _, u := range f.table.Users(ctx) {
		one := control.UserStatus{
			UID: u.UID, State: string(u.State), Since: u.Since, Used: u.Used, Mountpoint: f.spawner.Dir(u.UID),
			Open: u.Activity.Open, Left: u.Activity.Left,
		}
		if entry, err := user.LookupId(strconv.FormatUint(uint64(u.UID), 10)); err == nil {
			one.Name = entry.Username
		}
		if u.Err != nil {
			one.Error = cmdline.OneLine(u.Err.Error())
		}
		s.PerUser.Users = append(s.PerUser.Users, one)
		// What `sync` and `umount` show the progress of.
		s.Uploads.Queued += one.Left.Files - one.Left.Failed
		s.Uploads.Failed += one.Left.Failed
		s.Uploads.Bytes += one.Left.Bytes
	}
	return s
}

// frontController answers the front's control socket.
type frontController struct{ f *front }

func (c *frontController) Status(ctx context.Context) (any, error) { return c.f.status(ctx), nil }

func (c *frontController) Sync(ctx context.Context, path string) (telemetry.Left, error) {
	return c.f.table.Sync(ctx, path)
}

// Unmount ends the users' mounts first: while somebody is in one of them everything stays.
func (c *frontController) Unmount(ctx context.Context) error {
	f := c.f
	select {
	case <-f.mounted:
	case <-ctx.Done():
		return fmt.Errorf("%s is not mounted yet: %w", f.mountpoint, ctx.Err())
	}
	f.unmounting.RLock()
	defer f.unmounting.RUnlock()
	if err := f.table.Unmount(ctx); err != nil {
		return err
	}
	err := f.fuse.Unmount()
	if err != nil {
		f.table.Reopen()
	}
	if errors.Is(err, fs.ErrBusy) {
		return fmt.Errorf("%s is in use: leave it (`fuser -vm %s` names who is in), then try again", f.mountpoint, f.mountpoint)
	}
	return err
}

// errAskUser is the answer to what is a user's own: the front knows nothing of it.
var errAskUser = errors.New("a mount with --per-user has no files and no spool of its own: ask, as the user, for the user's mount (`s3levelfs status` names it)")

func (c *frontController) Explain(context.Context, string) (any, error) { return nil, errAskUser }

func (c *frontController) SpoolList(context.Context) (telemetry.SpoolList, error) {
	return telemetry.SpoolList{Items: []telemetry.Item{}, Kept: []telemetry.Kept{}}, nil
}

func (c *frontController) SpoolRetry(context.Context, []string) (int, error) { return 0, errAskUser }

func (c *frontController) SpoolFile(context.Context, string) (telemetry.SpoolFile, error) {
	return telemetry.SpoolFile{}, errAskUser
}

func (c *frontController) SpoolRead(context.Context, string, []byte, int64) error { return errAskUser }

func (c *frontController) SpoolDiscard(context.Context, string) error { return errAskUser }

func (c *frontController) Watch(context.Context, telemetry.WatchRequest) (iter.Seq[any], error) {
	return nil, errAskUser
}
