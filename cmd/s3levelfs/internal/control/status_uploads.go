package control

import (
	"time"

	"github.com/s3levelfs/s3levelfs/internal/telemetry"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// UploadStatus is an uploader.Status in the form that scripts read.
type UploadStatus struct {
	Open        int           `json:"open"`
	Queued      int           `json:"queued"`
	Sending     int           `json:"sending"`
	Failed      int           `json:"failed"`
	Bytes       int64         `json:"bytes"`
	Conflicts   int           `json:"conflicts"`
	Quarantined int           `json:"quarantined"`
	BaseLost    int           `json:"base_lost"`
	Oldest      time.Time     `json:"oldest,omitzero"`
	Paused      string        `json:"paused,omitempty"`
	PausedUntil time.Time     `json:"paused_until,omitzero"` // when one request asks again
	LastError   string        `json:"last_error,omitempty"`
	Requests    windowStatus  `json:"requests"`
	Levels      []LevelStatus `json:"levels"`
	telemetry.SpoolList
}

// windowStatus is how many requests the uploads may have in flight: fewer than most after the store has asked to slow down.
type windowStatus struct {
	Window    int   `json:"window"`
	Most      int   `json:"most"`
	InFlight  int   `json:"in_flight"`
	Throttled int64 `json:"throttled"`
}

// LevelStatus is an uploader.LevelStatus in the form that scripts read.
type LevelStatus struct {
	Prefix       string `json:"prefix"`
	State        string `json:"state"`
	NoConditions bool   `json:"no_conditions,omitempty"`
	Error        string `json:"error,omitempty"`
}

// UploadsOf translates the state of the write-back.
func UploadsOf(u uploader.Status) UploadStatus {
	out := UploadStatus{
		Open: u.Open, Queued: u.Queued, Sending: u.Sending, Failed: u.Failed, Bytes: u.Bytes,
		Conflicts: u.Conflicts, Quarantined: u.Counts.Quarantined, BaseLost: u.BaseLost, Oldest: u.Oldest, LastError: u.LastError,
		Requests: windowStatus{u.Requests.Size, u.Requests.Most, u.Requests.InFlight, u.Requests.Throttled},
		Levels:   []LevelStatus{}, SpoolList: telemetry.SpoolList{Items: ItemsOf(u.Items), Kept: KeptOf(u.Quarantined)},
	}
	if u.Paused != nil {
		out.Paused, out.PausedUntil = u.Paused.Error(), u.PausedUntil
	}
	for _, l := range u.Levels {
		out.Levels = append(out.Levels, LevelStatus{l.Prefix, l.State, l.NoConditions, l.Err})
	}
	return out
}
