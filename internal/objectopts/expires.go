package objectopts

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Expires is when an object expires: a moment, or so long after it is created. The zero value is never.
type Expires struct {
	at    time.Time
	after time.Duration
}

// milliseconds: a number above is taken for milliseconds. As seconds it would be in the year 5138; Amplify's own example gives milliseconds
// where its library took seconds.
const milliseconds = 1e11

// maxAfter bounds a relative time: what follows is no date that a header can have.
const maxAfter = 250 * 365 * 24 * time.Hour

// ParseExpires reads ISO 8601 (2030-01-01, 2030-01-01T00:00:00Z), RFC 1123, UNIX seconds or milliseconds, or +7d, +12h, +30m, +1w.
func ParseExpires(text string) (Expires, error) {
	if text == "" {
		return Expires{}, nil
	}
	bad := fmt.Errorf("%q is not a time such as 2030-01-01, 2030-01-01T12:00:00Z, Tue, 01 Jan 2030 00:00:00 GMT, 1893456000 (UNIX seconds or milliseconds) or +7d", text)
	if span, ok := strings.CutPrefix(text, "+"); ok {
		d, err := parseSpan(span)
		if err != nil || d <= 0 || d > maxAfter {
			return Expires{}, bad
		}
		return Expires{after: d}, nil
	}
	var at time.Time
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		if at = time.Unix(n, 0); n > milliseconds {
			at = time.UnixMilli(n)
		}
	} else if at, err = http.ParseTime(text); err != nil {
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"} {
			if at, err = time.Parse(layout, text); err == nil {
				break
			}
		}
		if err != nil {
			return Expires{}, bad
		}
	}
	if at = at.UTC(); at.Year() < 1970 || at.Year() > 9999 { // a header's year has four digits
		return Expires{}, bad
	}
	return Expires{at: at}, nil
}

// parseSpan reads a number of weeks or days, or what Go takes for a duration.
func parseSpan(text string) (time.Duration, error) {
	for suffix, unit := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		if n, ok := strings.CutSuffix(text, suffix); ok {
			count, err := strconv.ParseUint(n, 10, 16)
			return time.Duration(count) * unit, err
		}
	}
	return time.ParseDuration(text)
}

// At is the header of an object that is created at that time: a date of RFC 1123, "" for never.
func (e Expires) At(now time.Time) string {
	switch {
	case e.after > 0:
		return now.Add(e.after).UTC().Format(http.TimeFormat)
	case !e.at.IsZero():
		return e.at.Format(http.TimeFormat)
	}
	return ""
}
