package levels_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/s3levelfs/s3levelfs/levels"
)

func TestEscape(t *testing.T) {
	for _, c := range []struct{ key, name string }{
		{"plain.txt", "plain.txt"},
		{"%2F%20+é", "%2F%20+é"}, // as typed
		{"tab\tnew\nline", "tab\tnew\nline"},
		{"-rf", "-rf"},
		// typed bytes that no key carries
		{"‛01", "\x01"},
		{"‛0d", "\r"},
		{"a‛7fb", "a\x7fb"},
		{"‛ff‛fe", "\xff\xfe"},
		{"‛c3x", "\xc3x"},
		// keys that no path carries
		{"", "‛2F"},
		{".", "‛2E"},
		{"..", "‛2E‛2E"},
		{"...", "..."},
		{".a", ".a"},
		{"a\x01b", "a‛01b"},
		{"a\x1fb", "a‛1Fb"},
		{"\xff", "‛FF"},
		{"\x00", "‛00"},
		// the introducer itself
		{"it‛s", "it‛s"},
		{"a‛‛b", "a‛‛b"},
		{"‛‛1f", "‛1f"},    // typed like an escape of the key
		{"‛1F", "‛‛1F"},    // in the key like an escape of the name
		{"‛00", "‛‛00"},    //
		{"‛‛01", "‛‛01"},   // digits of both
		{"‛‛‛01", "‛\x01"}, // literal, then an escape
		{"‛\x01", "‛‛‛01"},
		{"a‛", "a‛‛"}, // the end of a name is the beside mark's
		{"a‛‛", "a‛‛‛‛"},
		{"‛2F", "‛‛2F"},
		{"‛‛2E‛2E", "‛‛‛2E‛2E"},
		{"a‛2Eb", "a‛2Eb"},
		{"a‛2F", "a‛2F"},
		{"‛41", "‛41"}, // not a byte that needs an escape
		// escapes that would join to é
		{"‛c3‛a9", "‛E2‛80‛9Bc3‛E2‛80‛9Ba9"},
	} {
		if got := levels.Escape(c.key); got != c.name {
			t.Errorf("Escape(%q) = %q, want %q", c.key, got, c.name)
		}
		if got, err := levels.Unescape(c.name); err != nil || got != c.key {
			t.Errorf("Unescape(%q) = %q, %v, want %q", c.name, got, err, c.key)
		}
	}
}

func TestUnescapeRefuses(t *testing.T) {
	for _, name := range []string{
		"", ".", "..", "a/b", "a\x00b", "/",
		"‛C3‛A9", // é has a name already
		"‛E2‛80‛9B",
		"‛", "‛‛‛2F‛2F‛E2‛80‛9B",
	} {
		if got, err := levels.Unescape(name); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("Unescape(%q) = %q, %v, want ErrInvalid", name, got, err)
		}
	}
	if got, err := levels.Unescape(levels.Beside("a")); err != nil || got != "a" {
		t.Errorf("beside: %q, %v", got, err)
	}
}

// tricky draws strings in which every rule of the escaping meets every other.
func tricky() *rapid.Generator[string] {
	piece := rapid.SampledFrom([]string{
		"‛", "‛", "‛‛", "2F", "2E", "01", "1f", "1F", "c3", "C3", "a9", "A9", "e2", "E2", "80", "9b", "9B", "00", "0",
		"\x01", "\x1f", "\x7f", "\xc3", "\xa9", "\xe2", "\x80", "\x9b", "é", "a", ".", "%2F", "\t", "\n", "\r", "\ufffd",
	})
	return rapid.Map(rapid.SliceOfN(piece, 0, 12), func(s []string) string { return strings.Join(s, "") })
}

func TestEscapeIsInjective(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { checkKeyElement(t, tricky().Draw(t, "key")) })
}

func TestUnescapeIsInjective(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { checkName(t, tricky().Draw(t, "name")) })
}

type tb interface {
	Helper()
	Fatalf(format string, args ...any)
}

// checkKeyElement: every key element has one name, and the name leads back.
func checkKeyElement(t tb, key string) {
	t.Helper()
	if strings.Contains(key, "/") {
		return
	}
	name := levels.Escape(key)
	if got, err := levels.Unescape(name); err != nil || got != key {
		t.Fatalf("key %q is shown as %q, which is %q, %v", key, name, got, err)
	}
}

// checkName: a name leads back to itself, and only those with an upper-case
// escape may be refused.
func checkName(t tb, name string) {
	t.Helper()
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		if _, err := levels.Unescape(name); err == nil {
			t.Fatalf("%q is no name", name)
		}
		return
	}
	key, err := levels.Unescape(name)
	switch shown := levels.Escape(key); {
	case err != nil:
		if !looksForeign(name) {
			t.Fatalf("name %q: %v", name, err)
		}
	case shown != name && levels.Beside(shown) != name:
		t.Fatalf("name %q is %q, which is shown as %q", name, key, shown)
	case !looksForeign(name) && strings.ContainsFunc(key, func(r rune) bool {
		return r < 0x20 && r != '\t' && r != '\n' || r == 0x7f
	}):
		t.Fatalf("name %q makes key %q, which no store carries", name, key)
	}
}

// looksForeign: an introducer in front of two upper-case digits, or at the end.
func looksForeign(name string) bool {
	parts := strings.Split(name, "‛")
	for _, p := range parts[1:] {
		if len(p) == 0 || len(p) >= 2 && strings.Contains("0123456789ABCDEF", p[:1]) && strings.Contains("0123456789ABCDEF", p[1:2]) {
			return true
		}
	}
	return false
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", ".", "..", "a‛", "‛2F", "‛‛01", "\x01‛", "‛c3‛a9", "\xe2\x80", "‛e2‛80‛9b‛01"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		checkKeyElement(t, s)
		checkName(t, s)
	})
}
