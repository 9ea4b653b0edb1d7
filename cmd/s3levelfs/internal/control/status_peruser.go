package control

import (
	"strconv"
	"time"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/internal/telemetry"
)

// PerUserStatus is what the front says of its users' mounts.
type PerUserStatus struct {
	Max   int          `json:"max"`
	Idle  string       `json:"idle"` // "0s" = they never end
	Users []UserStatus `json:"users"`
}

// UserStatus is one user's mount.
type UserStatus struct {
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

// writePerUser is the table of users for people.
func writePerUser(line func(name, format string, args ...any), s *PerUserStatus) {
	line("users", "%d of %d mounts, each ends after %s without use", len(s.Users), s.Max, s.Idle)
	for _, u := range s.Users {
		name := u.Name
		if name == "" {
			name = strconv.FormatUint(uint64(u.UID), 10)
		}
		line("", "%s: %s since %s at %s, %d open, %s left (%s)", cmdline.Printable(name), u.State, u.Since.Format(time.DateTime), u.Mountpoint, u.Open,
			cmdline.Plural(u.Left.Files, "change"), cmdline.BytesText(u.Left.Bytes))
		if u.Error != "" {
			line("", "  %s", cmdline.Printable(u.Error))
		}
	}
}
