package telemetry_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/internal/telemetry"
)

func TestMetrics(t *testing.T) {
	defer goleak.VerifyNone(t)
	var seen telemetry.EventCounts
	seen.Count("conflict")
	seen.Count("conflict")
	seen.Count(`a "b\`)
	gather := func() []telemetry.Metric {
		values := map[string]float64{}
		for kind, n := range seen.Counts() {
			values[kind] = float64(n)
		}
		return []telemetry.Metric{
			{Name: "x_events_total", Help: "what has happened", Counter: true, Label: "kind", Values: values},
			{Name: "x_bytes", Help: "two\nlines", Values: map[string]float64{"": 1.5e12}},
		}
	}
	s, err := telemetry.ServeMetrics("127.0.0.1:0", gather, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get("http://" + s.Addr() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	want := `# HELP x_events_total what has happened
# TYPE x_events_total counter
x_events_total{kind="a \"b\\"} 1
x_events_total{kind="conflict"} 2
# HELP x_bytes two\nlines
# TYPE x_bytes gauge
x_bytes 1.5e+12
`
	if diff := cmp.Diff(want, string(body)); diff != "" {
		t.Error(diff)
	}
	if _, err := telemetry.ServeMetrics(s.Addr(), gather, zap.NewNop()); err == nil || !strings.Contains(err.Error(), "metrics: ") {
		t.Errorf("second listener: %v", err)
	}
	if _, err := telemetry.ServeMetrics("nonsense", gather, zap.NewNop()); err == nil {
		t.Error("an address without a port was taken")
	}
}
