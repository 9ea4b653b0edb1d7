package attrs

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// linkHeader holds the target of a symbolic link (geesefs's default name).
const linkHeader = "--symlink-target"

// name is one way to spell an attribute: header, parser, formatter. The first
// of a list is the one that is written; the others are read where it is absent,
// in order, and rewritten where they are present, so that no reader sees two values.
type name[T any] struct {
	header string
	parse  func(string) (T, bool)
	format func(T) string
}

//nolint:gochecknoglobals // constant tables; Go has no constant slices
var (
	modeNames = []name[uint32]{
		{"mode", parseMode, formatUint},
		{"file-permissions", parseOctal, formatOctal},
		{"goog-reserved-posix-mode", parseOctal, formatOctal},
	}
	uidNames = []name[uint32]{
		{"uid", parseUint, formatUint},
		{"file-owner", parseUint, formatUint},
		{"goog-reserved-posix-uid", parseUint, formatUint},
	}
	gidNames = []name[uint32]{
		{"gid", parseUint, formatUint},
		{"file-group", parseUint, formatUint},
		{"goog-reserved-posix-gid", parseUint, formatUint},
	}
	mtimeNames = []name[time.Time]{
		{"mtime", parseTime, formatTime},
		{"file-mtime", parseAWSTime, formatAWSTime},
		{"goog-reserved-file-mtime", parseTime, formatSeconds},
	}
	atimeNames = []name[time.Time]{
		{"atime", parseTime, formatTime},
		{"file-atime", parseAWSTime, formatAWSTime},
	}
	ctimeNames = []name[time.Time]{
		{"ctime", parseTime, formatTime},
	}
)

// reservedNames are headers that mean an attribute here, never an extended one.
func reservedName(header string) bool {
	return header == linkHeader || header == s3fsXattrs || strings.HasPrefix(header, "s3levelfs-") ||
		listed(modeNames, header) || listed(uidNames, header) || listed(gidNames, header) ||
		listed(mtimeNames, header) || listed(atimeNames, header) || listed(ctimeNames, header)
}

func listed[T any](names []name[T], header string) bool {
	for _, n := range names {
		if n.header == header {
			return true
		}
	}
	return false
}

func lookup[T any](m map[string]string, names []name[T]) (v T, ok bool) {
	for _, n := range names {
		text, present := m[n.header]
		if !present {
			continue
		}
		if v, ok := n.parse(strings.TrimSpace(text)); ok {
			return v, true
		}
	}
	return v, false
}

func record[T any](m map[string]string, names []name[T], v T) {
	for i, n := range names {
		if _, present := m[n.header]; present || i == 0 {
			m[n.header] = n.format(v)
		}
	}
}

func parseUint(s string) (uint32, bool) {
	v, err := strconv.ParseUint(s, 10, 32)
	return uint32(v), err == nil
}

func formatUint(v uint32) string { return strconv.FormatUint(uint64(v), 10) }

func parseOctal(s string) (uint32, bool) {
	v, err := strconv.ParseUint(s, 8, 32)
	return uint32(v), err == nil && v <= math.MaxUint16 && validType(uint32(v))
}

func formatOctal(v uint32) string { return "0" + strconv.FormatUint(uint64(v), 8) }

// parseMode tells s3fs's and geesefs's decimal st_mode from rclone's octal one by
// the type bits: 33188 and 100644 are the same regular file. A number
// without type bits (permissions alone) is decimal unless it begins with 0.
func parseMode(s string) (uint32, bool) {
	if len(s) > 1 && s[0] == '0' {
		return parseOctal(s)
	}
	if v, ok := parseUint(s); ok && v <= math.MaxUint16 && validType(v) {
		return v, true
	}
	return parseOctal(s)
}

// validType reports whether the type bits of mode are one of Linux's, or none.
func validType(mode uint32) bool {
	switch mode & TypeMask {
	case 0, TypeRegular, TypeDir, TypeSymlink, 0o010000, 0o020000, 0o060000, 0o140000:
		return true
	}
	return false
}

// Bounds of recorded times in Unix seconds: the last second of the year 9999,
// and as far before 1970. Other numbers are noise.
const (
	maxSeconds int64 = 253402300799
	minSeconds       = -maxSeconds
)

// parseTime reads decimal Unix seconds with any number of decimals, or RFC 3339
// (rclone --metadata). Before 1970 the number is a plain decimal: -0.5 is half
// a second before the epoch.
func parseTime(s string) (time.Time, bool) {
	text, negative := strings.CutPrefix(s, "-")
	whole, fraction, _ := strings.Cut(text, ".")
	sec, err := strconv.ParseUint(whole, 10, 63)
	if err != nil || int64(sec) > maxSeconds {
		t, err := time.Parse(time.RFC3339Nano, s)
		return t, err == nil && !t.IsZero()
	}
	if len(fraction) > 9 {
		fraction = fraction[:9]
	}
	var nsec uint64
	if fraction != "" {
		if nsec, err = strconv.ParseUint(fraction+strings.Repeat("0", 9-len(fraction)), 10, 32); err != nil {
			return time.Time{}, false
		}
	}
	if negative {
		return time.Unix(-int64(sec), -int64(nsec)), true
	}
	return time.Unix(int64(sec), int64(nsec)), true
}

func formatTime(t time.Time) string {
	sec, nsec, sign := t.Unix(), int64(t.Nanosecond()), ""
	if sec < 0 {
		// A time.Time counts nanoseconds upwards from sec; the decimal does not.
		sign = "-"
		sec = -sec
		if nsec > 0 {
			sec, nsec = sec-1, int64(time.Second)-nsec
		}
	}
	text := sign + strconv.FormatInt(sec, 10)
	if nsec == 0 {
		return text
	}
	digits := strconv.FormatInt(nsec, 10)
	return text + "." + strings.Repeat("0", 9-len(digits)) + digits
}

func formatSeconds(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

// parseAWSTime reads nanoseconds with the suffix "ns", else milliseconds.
// Source: FSx for Lustre user guide, "POSIX metadata support".
func parseAWSTime(s string) (time.Time, bool) {
	if digits, ok := strings.CutSuffix(s, "ns"); ok {
		v, err := strconv.ParseInt(digits, 10, 64)
		return time.Unix(0, v), err == nil
	}
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil || v/1000 > maxSeconds || v/1000 < minSeconds {
		return time.Time{}, false
	}
	return time.UnixMilli(v), true
}

// formatAWSTime falls back to milliseconds outside of what nanoseconds can count
// (1677 to 2262).
func formatAWSTime(t time.Time) string {
	if nano := t.UnixNano(); time.Unix(0, nano).Equal(t) {
		return strconv.FormatInt(nano, 10) + "ns"
	}
	return strconv.FormatInt(t.UnixMilli(), 10)
}
