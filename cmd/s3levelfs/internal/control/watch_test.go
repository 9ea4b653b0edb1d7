package control

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/internal/feed"
)

// TestEventsForPeople: names with control characters do nothing to a terminal.
func TestEventsForPeople(t *testing.T) {
	size, at := int64(2048), time.Date(2030, 1, 2, 3, 4, 5, 0, time.Local)
	for _, c := range []struct {
		event feed.Event
		want  string
	}{
		{feed.Event{Kind: feed.Upload, Path: "public/a b", Size: &size}, "03:04:05  upload       public/a b (2.0 KiB)"},
		{feed.Event{Kind: feed.Copy, Path: "public/b", Other: "public/a", Size: &size}, "03:04:05  copy         public/b from public/a (2.0 KiB)"},
		{feed.Event{Kind: feed.Conflict, Path: "public/a", Other: "public/a (conflict x)"}, "03:04:05  conflict     public/a, the other version is public/a (conflict x)"},
		{feed.Event{Kind: feed.Failed, Path: "public/\x1b[2J", Error: "no\nroom"}, `03:04:05  failed       "public/\x1b[2J": no room`},
		{feed.Event{Kind: feed.Lost, Count: 1}, "03:04:05  lost         1 event: they were not read in time"},
		{feed.Event{Kind: feed.End}, "03:04:05  end         "},
	} {
		c.event.At = at
		if got := eventText(c.event); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	var out bytes.Buffer
	if err := writeEvent(&out, []byte("{}{"), false); err == nil || out.Len() > 0 {
		t.Errorf("%q, %v", out.String(), err)
	}
	if err := writeEvent(&out, []byte(`{"event":"end"}`), true); err != nil || strings.TrimSpace(out.String()) != `{"event":"end"}` {
		t.Errorf("%q, %v", out.String(), err)
	}
}
