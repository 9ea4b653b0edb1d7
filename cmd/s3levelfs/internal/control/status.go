package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/s3levelfs/s3levelfs/cache"
	"github.com/s3levelfs/s3levelfs/cache/disk"
	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/backend"
	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/internal/telemetry"
	"github.com/s3levelfs/s3levelfs/internal/trigger"
)

// MountStatus is what a running mount says of itself; `status --json` prints it.
type MountStatus struct {
	Mountpoint string                 `json:"mountpoint"`
	State      string                 `json:"state"` // mounting, mounted, draining
	PID        int                    `json:"pid"`
	Version    string                 `json:"version"`
	Started    time.Time              `json:"started"`
	Bucket     string                 `json:"bucket"`
	Endpoint   string                 `json:"endpoint,omitempty"`
	Identity   string                 `json:"identity_id,omitempty"`
	Login      *backend.LoginStatus   `json:"login,omitempty"` // nil = credentials are not Cognito's
	Spool      string                 `json:"spool_dir"`
	SpoolBytes int64                  `json:"spool_bytes"`
	SpoolFree  int64                  `json:"spool_free"`            // bytes on its disk; -1 = not known
	SpoolKeep  int64                  `json:"spool_keep_free"`       // bytes of them that are left to others
	SpoolLimit int64                  `json:"spool_limit,omitempty"` // bytes; 0 = none
	Uploads    UploadStatus           `json:"uploads"`
	Events     map[string]int64       `json:"events,omitempty"`   // what has happened to files since the mount, by kind
	Tracking   *TrackingStatus        `json:"tracking,omitempty"` // nil = nobody tracks
	Triggers   *trigger.Stats         `json:"triggers,omitempty"` // nil = there are no commands
	Cache      cache.Stats            `json:"cache"`
	Disk       *disk.Stats            `json:"disk_cache,omitempty"`    // nil = there is none
	NoDisk     string                 `json:"no_disk_cache,omitempty"` // why
	Requests   telemetry.RequestStats `json:"requests"`
	Kernel     map[string]int64       `json:"kernel"`       // what the kernel has asked the mount for, by kind; its caches answer the rest
	Handles    int64                  `json:"open_handles"` // files and directories that programs have open
	Goroutines int                    `json:"goroutines"`
	PerUser    *PerUserStatus         `json:"per_user,omitempty"` // of a mount with --per-user, which has little else
}

// LowDisk is the room, in bytes, below which a disk counts as full: one write of a program.
const LowDisk = 2 << 20

// Left counts what is not in the bucket yet.
func (s *MountStatus) Left() telemetry.Left {
	u := s.Uploads
	return telemetry.Left{Files: u.Queued + u.Sending + u.Failed, Bytes: u.Bytes, Failed: u.Failed, Error: u.LastError}
}

// StatusCommand is `status`.
func StatusCommand() *cli.Command {
	return &cli.Command{
		Name:      "status",
		Usage:     "show uploads, failures, cache and requests of running mounts",
		ArgsUsage: "[PATH]",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "watch", Usage: "repeat every second until interrupted"},
			cmdline.JSONFlag(),
		},
		Action: func(c *cli.Context) error {
			for {
				if err := statusOnce(c); err != nil || !c.Bool("watch") {
					return err
				}
				select {
				case <-c.Done():
					return nil
				case <-time.After(time.Second):
				}
			}
		},
	}
}

func statusOnce(c *cli.Context) error {
	reg, err := Registry()
	if err != nil {
		return err
	}
	mounts, err := reg.List()
	if err != nil {
		return err
	}
	if arg := c.Args().First(); arg != "" {
		m, _, err := findMount(arg)
		if err != nil {
			return err
		}
		mounts = []telemetry.Mount{m}
	}
	all := make([]MountStatus, 0, len(mounts))
	var silent error // of one that does not answer the others are still told
	for _, m := range mounts {
		ctx, cancel := context.WithTimeout(c.Context, StatusTimeout)
		var s MountStatus
		err := telemetry.Dial(m.Socket).Status(ctx, &s)
		cancel()
		if err != nil {
			silent = notAnswering(m, err)
			continue
		}
		all = append(all, s)
	}
	if c.Bool("json") {
		return errors.Join(cmdline.PrintJSON(c.App.Writer, all), silent)
	}
	if len(all) == 0 && silent == nil {
		_, err := fmt.Fprintln(c.App.Writer, "nothing is mounted")
		return err
	}
	for i := range all {
		writeStatus(c.App.Writer, &all[i])
	}
	return silent
}

// asked is when a pause is looked into.
func asked(at time.Time) string {
	if wait := time.Until(at).Round(time.Second); wait > 0 {
		return "in " + wait.String()
	}
	return "now"
}

// writeStatus is the status for people. Write errors of a terminal are not worth a failure.
func writeStatus(w io.Writer, s *MountStatus) {
	line := func(name, format string, args ...any) {
		_, _ = fmt.Fprintf(w, "  %-12s %s\n", name, fmt.Sprintf(format, args...))
	}
	_, _ = fmt.Fprintf(w, "%s (%s, process %d, since %s)\n", s.Mountpoint, s.State, s.PID, s.Started.Format(time.DateTime))
	where := s.Bucket
	if s.Endpoint != "" {
		where += " at " + s.Endpoint
	}
	line("bucket", "%s", where)
	if s.PerUser != nil {
		writePerUser(line, s.PerUser)
		return
	}
	if s.Identity != "" {
		line("identity", "%s", s.Identity)
	}
	backend.WriteLogin(line, s.Login)
	u := s.Uploads
	uploads := "all done"
	if u.Queued+u.Sending > 0 {
		uploads = fmt.Sprintf("%d waiting, %d being sent, %s", u.Queued, u.Sending, cmdline.BytesText(u.Bytes))
		if !u.Oldest.IsZero() {
			uploads += ", oldest " + cmdline.Ago(u.Oldest)
		}
	}
	line("uploads", "%s", uploads)
	if r := u.Requests; r.Window < r.Most {
		line("slowed", "%d of %d requests at a time: the store has asked %d times to slow down", r.Window, r.Most, r.Throttled)
	}
	if u.Failed > 0 {
		line("failed", "%s, retried until they succeed; last error: %s", cmdline.Plural(u.Failed, "change"), u.LastError)
	}
	for _, it := range u.Items {
		if it.Error != "" {
			line("", "%s: %s (%s)", cmdline.Printable(it.Key), it.Error, it.State)
		}
	}
	if u.Conflicts > 0 {
		line("conflicts", "%d since the mount: somebody else had changed the file, too; look for \"(conflict \" in names, or in the log", u.Conflicts)
	}
	for _, k := range u.Kept {
		line("kept", "%s (%s, %s): not uploaded by itself", cmdline.Printable(k.Key), k.Reason, cmdline.BytesText(k.Size))
	}
	if u.Paused != "" {
		line("paused", "%s", u.Paused)
		line("", "nothing is lost: uploads go on when it does, which is asked %s", asked(u.PausedUntil))
	}
	line("spool", "%s in %s", cmdline.BytesText(s.SpoolBytes), s.Spool)
	if s.SpoolFree >= 0 && s.SpoolFree < s.SpoolKeep+LowDisk {
		line("", "its disk is full (%s left, %s kept free): programs get ENOSPC until uploads or you make room",
			cmdline.BytesText(s.SpoolFree), cmdline.BytesText(s.SpoolKeep))
	}
	if s.SpoolLimit > 0 && s.SpoolBytes > s.SpoolLimit-LowDisk {
		line("", "it has reached its size (--spool-size %s): programs wait for uploads, then get ENOSPC", cmdline.BytesText(s.SpoolLimit))
	}
	writeObservers(line, s)
	line("cache", "%s, %d hits, %d misses", cmdline.BytesText(s.Cache.Bytes), s.Cache.Hits, s.Cache.Misses)
	writeDiskCache(line, s)
	if n := s.Cache.Unverified; n > 0 {
		line("unverified", "%s read in part or whole that nothing but the connection vouches for: %s says which", cmdline.Plural(int(n), "file"), "user.s3levelfs.verified")
	}
	if n := s.Cache.Corrupt; n > 0 {
		line("corrupt", "%d answers did not match the store's checksum: fetched again, or EIO; see the log", n)
	}
	line("requests", "%s", countsText(s.Requests.Count))
	line("kernel", "%s", countsText(s.Kernel))
	if e := s.Requests.LastError; e != "" {
		line("last error", "%s (%s)", e, cmdline.Ago(s.Requests.ErrorAt))
	}
}

// countsText lists counts by name, zeros left out.
func countsText(counts map[string]int64) string {
	var kinds []string
	for k, n := range counts {
		if n != 0 {
			kinds = append(kinds, fmt.Sprintf("%s %d", k, n))
		}
	}
	slices.Sort(kinds)
	return strings.Join(kinds, ", ")
}
