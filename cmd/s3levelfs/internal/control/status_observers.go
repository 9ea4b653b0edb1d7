package control

import (
	"fmt"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/internal/tracking"
)

// TrackingStatus is where calls are tracked to, and what has become of the events.
type TrackingStatus struct {
	To string `json:"to"` // of a webhook the origin alone
	tracking.Stats
}

// writeObservers tells people of tracking and triggers.
func writeObservers(line func(name, format string, args ...any), s *MountStatus) {
	if t := s.Tracking; t != nil {
		line("tracking", "%s: %d sent, %d waiting%s", t.To, t.Sent, t.Waiting, but(t.Lost, "lost")+but(t.Refused, "refused"))
		if t.LastError != "" {
			line("", "last error: %s", cmdline.OneLine(t.LastError))
		}
	}
	if t := s.Triggers; t != nil {
		line("triggers", "%d run, %d running, %d waiting%s", t.Succeeded+t.Failed, t.Running, t.Waiting, but(t.Failed, "failed")+but(t.Lost, "lost"))
		if t.LastError != "" {
			line("", "last error: %s", cmdline.OneLine(t.LastError))
		}
	}
}

// but names a count that should be 0.
func but(n int64, what string) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", %d %s", n, what)
}
