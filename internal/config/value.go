package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// value is one setting as text.
type value interface {
	set(text string) error
	text() string
}

type (
	stringValue struct{ p *string }
	optValue    struct{ p *OptString }
	boolValue   struct{ p *bool }
	modeValue   struct{ p *Mode }
	enumValue   struct {
		p      *string
		values []string
	}
	intValue struct {
		p        *int
		min, max int
	}
	sizeValue struct {
		p        *int64
		min, max int64
	}
	autoSizeValue sizeValue // or auto, or 0
	freeValue     struct {
		p    *KeepFree
		auto KeepFree // what "auto" means
	}
	durationValue struct {
		p        *time.Duration
		min, max time.Duration
	}
)

func (v stringValue) set(s string) error { *v.p = s; return nil }
func (v stringValue) text() string       { return *v.p }

func (v optValue) set(s string) error { *v.p = OptString{Value: s, Set: true}; return nil }
func (v optValue) text() string       { return v.p.Value }

func (v boolValue) set(s string) error {
	b, err := strconv.ParseBool(s)
	if err != nil {
		return fmt.Errorf("%q is neither true nor false", s)
	}
	*v.p = b
	return nil
}
func (v boolValue) text() string { return strconv.FormatBool(*v.p) }

func (v modeValue) set(s string) error {
	n, err := strconv.ParseUint(s, 8, 32)
	if err != nil || n > 0o777 {
		return fmt.Errorf("%q is not an octal mask from 0 to 777", s)
	}
	*v.p = Mode(n)
	return nil
}
func (v modeValue) text() string { return fmt.Sprintf("%03o", uint32(*v.p)) }

func (v enumValue) set(s string) error {
	if !slices.Contains(v.values, s) {
		return fmt.Errorf("%q is not one of %s", s, strings.Join(slices.DeleteFunc(slices.Clone(v.values), func(x string) bool { return x == "" }), ", "))
	}
	*v.p = s
	return nil
}
func (v enumValue) text() string { return *v.p }

func (v intValue) set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < v.min || n > v.max {
		return fmt.Errorf("%q is not a whole number from %d to %d", s, v.min, v.max)
	}
	*v.p = n
	return nil
}
func (v intValue) text() string { return strconv.Itoa(*v.p) }

func (v sizeValue) set(s string) error {
	n, err := humanize.ParseBytes(s)
	if err != nil {
		return fmt.Errorf("%q is not a size such as 512MiB or 10GB", s)
	}
	if n > uint64(v.max) || int64(n) < v.min {
		return fmt.Errorf("%q is not from %s to %s", s, humanize.IBytes(uint64(v.min)), humanize.IBytes(uint64(v.max)))
	}
	*v.p = int64(n)
	return nil
}

func (v sizeValue) text() string { return strings.ReplaceAll(humanize.IBytes(uint64(*v.p)), " ", "") }

func (v autoSizeValue) set(s string) error {
	if s == "auto" {
		*v.p = AutoSize
		return nil
	}
	if n, err := humanize.ParseBytes(s); err == nil && n == 0 {
		*v.p = 0
		return nil
	}
	if err := sizeValue(v).set(s); err != nil {
		return fmt.Errorf("%w, nor auto, nor 0", err)
	}
	return nil
}

func (v autoSizeValue) text() string {
	if *v.p == AutoSize {
		return "auto"
	}
	return sizeValue(v).text()
}

// autoCacheFree is what a read cache leaves to others if nobody says otherwise: more than a spool, which must not wait for it.
func autoCacheFree() KeepFree { return KeepFree{Bytes: 5 << 30, Percent: 10} }

// autoFree is what a spool leaves to others if nobody says otherwise.
func autoFree() KeepFree { return KeepFree{Bytes: 1 << 30, Percent: 5} }

func (v freeValue) set(s string) error {
	if s == "auto" {
		*v.p = v.auto
		return nil
	}
	if share, ok := strings.CutSuffix(s, "%"); ok {
		n, err := strconv.Atoi(share)
		if err != nil || n < 0 || n > 99 {
			return fmt.Errorf("%q is not a share from 0%% to 99%%", s)
		}
		*v.p = KeepFree{Percent: n}
		return nil
	}
	n, err := humanize.ParseBytes(s)
	if err != nil || n > 1<<60 {
		return fmt.Errorf("%q is not auto, a share such as 10%%, or a size such as 512MiB", s)
	}
	*v.p = KeepFree{Bytes: int64(n)}
	return nil
}

func (v freeValue) text() string {
	switch {
	case *v.p == v.auto:
		return "auto"
	case v.p.Percent > 0:
		return strconv.Itoa(v.p.Percent) + "%"
	}
	return sizeValue{p: &v.p.Bytes}.text()
}

func (v durationValue) set(s string) error {
	d, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("%q is not a time such as 500ms, 5s or 10m", s)
	}
	if d < v.min || d > v.max {
		return fmt.Errorf("%q is not from %s to %s", s, v.min, v.max)
	}
	*v.p = d
	return nil
}
func (v durationValue) text() string { return v.p.String() }

// envName turns a kebab-case name into the upper-case form of a variable.
func envName(s string) string { return strings.ToUpper(strings.ReplaceAll(s, "-", "_")) }
