package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/internal/config"
)

// TestTracksTo: naming a sink is tracking, a switch without one means the log, and the switch beats a sink that a weaker source has named.
func TestTracksTo(t *testing.T) {
	for _, c := range []struct {
		toml  string
		flags map[string]string
		to    string
		on    bool
	}{
		{},
		{flags: map[string]string{"track": "true"}, to: "log", on: true},
		{flags: map[string]string{"track-to": "stdout"}, to: "stdout", on: true},
		{toml: "track = true", to: "log", on: true},
		{toml: "tracking = true", to: "log", on: true},
		{toml: `tracking = "kinesis:s"`, to: "kinesis:s", on: true},
		{toml: `track-to = "kinesis:s"`, to: "kinesis:s", on: true},
		{toml: `tracking = "kinesis:s"`, flags: map[string]string{"track": "false"}},
		{toml: `tracking = "kinesis:s"`, flags: map[string]string{"track-to": "log"}, to: "log", on: true},
		{toml: "tracking = false", flags: map[string]string{"track": "true"}, to: "log", on: true},
	} {
		file := filepath.Join(t.TempDir(), "c.toml")
		if err := os.WriteFile(file, []byte(c.toml), 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := config.Load(config.Sources{File: file, Flags: c.flags, Getenv: func(string) (string, bool) { return "", false }})
		if err != nil {
			t.Fatal(err)
		}
		if to, on := l.TracksTo(); to != c.to || on != c.on {
			t.Errorf("%q, %v: %q, %v", c.toml, c.flags, to, on)
		}
	}
}

func TestTrackingAndTriggersInTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.toml")
	load := func(text string) (*config.Loaded, error) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return config.Load(config.Sources{File: file, Getenv: func(string) (string, bool) { return "", false }})
	}
	l, err := load("on-upload = \"resize -x\"\non-delete = \"sh -c 'cat'\"\ntrigger-timeout = \"2m\"\n")
	if err != nil || l.Triggers != (config.Triggers{OnUpload: "resize -x", OnDelete: "sh -c 'cat'", Timeout: 2 * time.Minute}) {
		t.Errorf("%+v, %v", l, err)
	}
	for _, text := range []string{"tracking = 3", "[tracking]\nto = \"x\"", "trigger-timeout = \"1h\""} {
		if _, err := load("\n" + text); err == nil || !strings.Contains(err.Error(), "c.toml:") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
