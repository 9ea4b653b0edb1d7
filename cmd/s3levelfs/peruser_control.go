package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"time"

	"github.com/s3levelfs/s3levelfs/fs"
	"github.com/s3levelfs/s3levelfs/internal/telemetry"
)

// perUserStatus is what the front says of its users' mounts.
type perUserStatus struct {
	Max   int          `json:"max"`
	Idle  string       `json:"idle"` // "0s" = they never end
	Users []userStatus `json:"users"`
}

// userStatus is one user's mount.
type userStatus struct {
	UID        uint32         `json:"uid"`
	Name       string         `json:"name,omitempty"`
	State      string         `json:"state"` // starting, mounted, ending, failed
	Since      time.Time      `json:"since"`
	Used       time.Time      `json:"used,omitzero"` // when it was last seen to be used
	Mountpoint string         `json:"mountpoint"`
	Open       int            `json:"open"`
	Left       telemetry.Left `json:"left"`
	Error      string         `json:"error,omitempty"` // why there is no mount, or why it does not answer
}

func (f *front) status(ctx context.Context) *mountStatus {
	state := "mounting"
	select {
	case <-f.mounted:
		state = "mounted"
	default:
	}
	s := &mountStatus{
		Mountpoint: f.mountpoint, State: state, PID: os.Getpid(), Version: version, Started: f.started,
		Bucket: f.cfg.Bucket, Endpoint: f.cfg.Endpoint, Spool: f.state(), SpoolFree: -1,
		Uploads: uploadStatus{Levels: []levelStatus{}, SpoolList: telemetry.SpoolList{Items: []telemetry.Item{}, Kept: []telemetry.Kept{}}},
		PerUser: &perUserStatus{Max: f.cfg.PerUserMax, Idle: f.cfg.PerUserIdle.String(), Users: []userStatus{}},
	}
	for _, u := range f.table.Users(ctx) {
		one := userStatus{
			UID: u.UID, State: string(u.State), Since: u.Since, Used: u.Used, Mountpoint: f.spawner.Dir(u.UID),
			Open: u.Activity.Open, Left: u.Activity.Left,
		}
		if entry, err := user.LookupId(strconv.FormatUint(uint64(u.UID), 10)); err == nil {
			one.Name = entry.Username
		}
		if u.Err != nil {
			one.Error = oneLine(u.Err.Error())
		}
		s.PerUser.Users = append(s.PerUser.Users, one)
		// What `sync` and `umount` show the progress of.
		s.Uploads.Queued += one.Left.Files - one.Left.Failed
		s.Uploads.Failed += one.Left.Failed
		s.Uploads.Bytes += one.Left.Bytes
	}
	return s
}

// writePerUser is the table of users for people.
func writePerUser(line func(name, format string, args ...any), s *perUserStatus) {
	line("users", "%d of %d mounts, each ends after %s without use", len(s.Users), s.Max, s.Idle)
	for _, u := range s.Users {
		name := u.Name
		if name == "" {
			name = strconv.FormatUint(uint64(u.UID), 10)
		}
		line("", "%s: %s since %s at %s, %d open, %s left (%s)", printable(name), u.State, u.Since.Format(time.DateTime), u.Mountpoint, u.Open,
			plural(u.Left.Files, "change"), bytesText(u.Left.Bytes))
		if u.Error != "" {
			line("", "  %s", printable(u.Error))
		}
	}
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
