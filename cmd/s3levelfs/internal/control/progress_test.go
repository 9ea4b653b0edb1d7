package control

import (
	"strings"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/internal/telemetry"
)

func TestProgress(t *testing.T) {
	var p progress
	start := time.Unix(1000, 0)
	for i, tt := range []struct {
		at               int // seconds
		left             telemetry.Left
		sent             int64
		files, filesDone int
		done, bytesLeft  int64
		rate             int64
		seconds          float64
		says             string
	}{
		{0, telemetry.Left{Files: 2, Bytes: 100}, 1000, 2, 0, 0, 100, 0, -1, "2 changes left, 100 B"},
		{10, telemetry.Left{Files: 2, Bytes: 100}, 1040, 2, 0, 40, 60, 4, 15, "2 changes left, 60 B, 4 B/s, 15s"},                           // parts of one
		{20, telemetry.Left{Files: 1, Bytes: 20}, 1080, 2, 1, 80, 20, 4, 5, "1 change left, 20 B, 4 B/s, 5s"},                               // it is there
		{30, telemetry.Left{Files: 3, Bytes: 220, Failed: 1}, 1080, 3, 0, 0, 220, 2, 110, "3 changes left (1 failed), 220 B, 2 B/s, 1m50s"}, // more was written
		{40, telemetry.Left{Files: 3, Bytes: 220}, 1480, 3, 0, 220, 0, 12, 0, "3 changes left, 12 B/s"},                                     // sent twice
		{50, telemetry.Left{}, 1500, 3, 3, 220, 0, 10, 0, "0 changes left, 10 B/s"},
	} {
		p.look(tt.left, tt.sent, start.Add(time.Duration(tt.at)*time.Second))
		if p.files != tt.files || p.FilesDone != tt.filesDone || p.BytesDone != tt.done || p.BytesLeft != tt.bytesLeft ||
			p.Rate != tt.rate || p.Seconds != tt.seconds {
			t.Errorf("%d: %+v", i, p)
		}
		if got := describeProgress(&p); got != tt.says {
			t.Errorf("%d: %q, want %q", i, got, tt.says)
		}
	}
}

// The bar can be drawn in every state, and is taken away at the end.
func TestBar(t *testing.T) {
	var out strings.Builder
	b := &bar{out: &out}
	var p progress
	for i, left := range []telemetry.Left{{Files: 3}, {Files: 3, Bytes: 1 << 20}, {Files: 1, Bytes: 1 << 10}, {Files: 2, Bytes: 1 << 30}, {}} {
		p.look(left, int64(i), time.Unix(int64(i), 0))
		b.draw(&p)
	}
	b.end()
	if !strings.Contains(out.String(), "3 changes left, 1024 KiB") {
		t.Errorf("drawn: %q", out.String())
	}
}
