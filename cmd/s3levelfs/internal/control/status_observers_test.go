package control

import (
	"bytes"
	"strings"
	"testing"

	"github.com/s3levelfs/s3levelfs/internal/telemetry"
	"github.com/s3levelfs/s3levelfs/internal/tracking"
	"github.com/s3levelfs/s3levelfs/internal/trigger"
)

// TestObserversAreShown: what nobody has taken, and what has failed, is in status and in the metrics; who has neither sees nothing of them.
func TestObserversAreShown(t *testing.T) {
	text := func(s *MountStatus) string {
		var status, metrics bytes.Buffer
		writeStatus(&status, s)
		if err := telemetry.WriteMetrics(&metrics, MetricsOf(s)); err != nil {
			t.Fatal(err)
		}
		return status.String() + metrics.String()
	}
	got := text(&MountStatus{
		Tracking: &TrackingStatus{To: "https://h", Stats: tracking.Stats{Sent: 5, Lost: 2, Refused: 3, Waiting: 1, LastError: "webhook:\nHTTP 503"}},
		Triggers: &trigger.Stats{Succeeded: 7, Failed: 1, Lost: 4, Waiting: 2, Running: 1, LastError: "exit status 1"},
	})
	for _, want := range []string{
		"  tracking     https://h: 5 sent, 1 waiting, 2 lost, 3 refused\n", "last error: webhook: HTTP 503\n",
		"  triggers     8 run, 1 running, 2 waiting, 1 failed, 4 lost\n", "last error: exit status 1\n",
		`s3levelfs_tracking_events_total{result="lost"} 2` + "\n", `s3levelfs_tracking_events_total{result="refused"} 3` + "\n",
		`s3levelfs_tracking_events_total{result="sent"} 5` + "\n",
		`s3levelfs_trigger_commands_total{result="failed"} 1` + "\n", `s3levelfs_trigger_commands_total{result="lost"} 4` + "\n",
		`s3levelfs_trigger_commands_total{result="succeeded"} 7` + "\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if got := text(&MountStatus{}); strings.Contains(got, "track") || strings.Contains(got, "trigger") {
		t.Error(got)
	}
}
