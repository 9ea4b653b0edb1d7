package levels

import (
	"fmt"
	"io/fs"
	"strings"
	"unicode/utf8"
)

// introducer begins an escape, U+201B. Chosen as rclone does: it looks like a
// quotation mark and nobody types it.
const introducer = "\u201b"

// side is one of the two alphabets: how it writes a byte that only the other
// side carries.
type side struct {
	digits string // of its escapes
	nul    bool   // 0x00 is among the bytes that it escapes
	end    bool   // a run of introducers at the end is doubled
}

func names() side { return side{digits: "0123456789ABCDEF", nul: true, end: true} }
func keys() side  { return side{digits: "0123456789abcdef"} }

// carried reports whether both sides carry c as it is. A byte above 0x7f is
// asked for only where it is not part of valid UTF-8.
func carried(c byte) bool {
	return c == '\t' || c == '\n' || c >= 0x20 && c < 0x7f
}

// escape gives the byte that the two digits at the start of s stand for behind
// an introducer of this side.
func (a side) escape(s string) (byte, bool) {
	if len(s) < 2 {
		return 0, false
	}
	hi, lo := strings.IndexByte(a.digits, s[0]), strings.IndexByte(a.digits, s[1])
	if hi < 0 || lo < 0 {
		return 0, false
	}
	c := byte(hi<<4 | lo)
	return c, !carried(c) && (c != 0 || a.nul)
}

// doubled reports whether a run of introducers in front of s is written doubled.
func (a side) doubled(s string) bool {
	if s == "" {
		return a.end
	}
	_, is := a.escape(s)
	return is
}

func (a side) write(b *strings.Builder, c byte) {
	b.WriteString(introducer)
	b.WriteByte(a.digits[c>>4])
	b.WriteByte(a.digits[c&15])
}

// plain reports whether s is the same on both sides, which nearly all are.
func plain(s string) bool {
	for i := range len(s) {
		if !carried(s[i]) {
			return utf8.ValidString(s) && !strings.Contains(s, introducer) && !strings.ContainsFunc(s, isControl)
		}
	}
	return s != "" && s != "." && s != ".."
}

func isControl(r rune) bool { return r < utf8.RuneSelf && !carried(byte(r)) }

// translate rewrites s from one side to the other: escapes of the one become
// bytes, bytes that the other does not carry become its escapes, and runs of
// introducers are halved and doubled as each side wants. escapes counts the
// former. An odd run at the end of a name is the caller's to cut off before.
func translate(s string, from, to side) (out string, escapes int) {
	var b strings.Builder
	b.Grow(len(s) + len(introducer)*2)
	for s != "" {
		run := 0
		for strings.HasPrefix(s, introducer) {
			s = s[len(introducer):]
			run++
		}
		if c, is := from.escape(s); is && run > 0 {
			if run%2 == 1 { // pairs, then an escape: its byte breaks the run on the other side
				b.WriteString(strings.Repeat(introducer, run/2))
				b.WriteByte(c)
				s = s[2:]
				escapes++
				continue
			}
			run /= 2
		} else if s == "" && from.end {
			run /= 2
		}
		r, size := utf8.DecodeRuneInString(s)
		raw := size == 1 && (r == utf8.RuneError || isControl(r))
		if raw || to.doubled(s) {
			run *= 2
		}
		b.WriteString(strings.Repeat(introducer, run))
		if raw {
			to.write(&b, s[0])
		} else {
			b.WriteString(s[:size])
		}
		s = s[size:]
	}
	return b.String(), escapes
}

// alone gives the name, less its introducer, of an element that is an escape
// as a whole.
func alone(element string) (string, bool) {
	switch element {
	case "":
		return "2F", true
	case ".":
		return "2E", true
	case "..":
		return "2E" + introducer + "2E", true
	}
	return "", false
}

// aloneText reports whether s is one or more introducers in front of what
// alone gives, and the element that one introducer makes of it.
func aloneText(s string) (element string, is bool) {
	if !strings.HasPrefix(s, introducer) {
		return "", false
	}
	for strings.HasPrefix(s, introducer) {
		s = s[len(introducer):]
	}
	for _, e := range []string{"", ".", ".."} {
		if text, _ := alone(e); s == text {
			return e, true
		}
	}
	return "", false
}

// Escape gives the name under which a key element (the bytes between two
// slashes of a key, "" included) is shown. It is the same string but for the
// cases in the package's doc. The name may be longer than [MaxName]: then no
// path carries it.
func Escape(keyElement string) string {
	if plain(keyElement) {
		return keyElement
	}
	if text, is := alone(keyElement); is {
		return introducer + text
	}
	if _, is := aloneText(keyElement); is {
		return introducer + keyElement
	}
	name, _ := translate(keyElement, keys(), names())
	if back, _, _ := decode(name); back == keyElement {
		return name
	}
	return escapeAll(keyElement)
}

// escapeAll is the name of an element whose escapes would join to another
// element's name: each introducer is shown by its bytes.
func escapeAll(element string) string {
	var b strings.Builder
	for element != "" {
		r, size := utf8.DecodeRuneInString(element)
		switch {
		case strings.HasPrefix(element, introducer):
			for i := range size {
				names().write(&b, element[i])
			}
		case size == 1 && (r == utf8.RuneError || isControl(r)):
			names().write(&b, element[0])
		default:
			b.WriteString(element[:size])
		}
		element = element[size:]
	}
	return b.String()
}

// decode reads a name. beside tells of the final mark of a file beside a
// directory, escapes counts the upper-case ones.
func decode(name string) (element string, beside bool, escapes int) {
	run := 0
	for rest := name; strings.HasSuffix(rest, introducer); run++ {
		rest = rest[:len(rest)-len(introducer)]
	}
	if run%2 == 1 {
		name, beside = name[:len(name)-len(introducer)], true
	}
	if e, is := aloneText(name); is {
		if text, _ := alone(e); name == introducer+text {
			return e, beside, 1
		}
		return name[len(introducer):], beside, 0
	}
	element, escapes = translate(name, names(), keys())
	return element, beside, escapes
}

// Unescape gives the key element that a name denotes. The final mark of a file
// beside a directory is dropped; [Policy.Resolve] tells of it. What can not be
// a name (empty, dots, slash, 0x00), and a name that is not the one which
// [Escape] gives its element, is [fs.ErrInvalid].
func Unescape(name string) (string, error) {
	element, _, _, err := unescape(name)
	return element, err
}

func unescape(name string) (element string, beside, foreign bool, err error) {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return "", false, false, fmt.Errorf("name %q: %w", name, fs.ErrInvalid)
	}
	if plain(name) {
		return name, false, false, nil
	}
	element, beside, escapes := decode(name)
	canonical := Escape(element)
	if beside {
		canonical = Beside(canonical)
	}
	if canonical != name || beside && element == "" {
		return "", false, false, fmt.Errorf("name %q is not that of a key: %w", name, fs.ErrInvalid)
	}
	return element, beside, beside || escapes > 0, nil
}

// Beside marks the name of a file that stands beside a directory of the same
// name (S3 allows key "a" and key "a/b").
func Beside(name string) string { return name + introducer }
