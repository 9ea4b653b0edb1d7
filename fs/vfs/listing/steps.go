package listing

import (
	"fmt"
	"strconv"
	"strings"
)

// numbering is how names are numbered that differ in one number with leading zeros: IMG_0001.JPG.
type numbering struct {
	before, behind string
	width          int // digits
}

const (
	decimal   = 10
	maxDigits = 15
)

// numberingOf gives what two names have in common, if it is that.
func numberingOf(a, b string) (n numbering, ok bool) {
	if len(a) != len(b) || a == b {
		return n, false
	}
	at := 0
	for a[at] == b[at] {
		at++
	}
	isDigit := func(c byte) bool { return c >= '0' && c <= '9' }
	for at > 0 && isDigit(b[at-1]) {
		at--
	}
	end := at
	for end < len(b) && isDigit(b[end]) {
		end++
	}
	n = numbering{b[:at], b[end:], end - at}
	return n, n.width > 0 && n.width <= maxDigits
}

// of is a name's number.
func (n numbering) of(name string) (number int, ok bool) {
	digits, before := strings.CutPrefix(name, n.before)
	digits, behind := strings.CutSuffix(digits, n.behind)
	if !before || !behind || len(digits) != n.width || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	number, err := strconv.Atoi(digits)
	return number, err == nil
}

func (n numbering) name(number int) string {
	return fmt.Sprintf("%s%0*d%s", n.before, n.width, number, n.behind)
}

// step is split where all names so far are numbered without a gap: it is the last name of a page of the part then, so that no part
// asks for a page that another one has too. It gives "" where they are not.
func (s stretch) step() (mid string, left int) {
	n, ok := numberingOf(s.first, s.pos)
	if !ok {
		return "", 0
	}
	first, is := n.of(s.first)
	pos, too := n.of(s.pos)
	if !is || !too || pos-first+1 != s.seen {
		return "", 0
	}
	pages := 0
	if s.bounded {
		to, ok := n.of(s.to)
		if !ok || to <= pos {
			return "", 0
		}
		left = to - pos
		pages = (left + pageKeys - 1) / pageKeys / 2
	} else {
		begin, ok := n.of(s.origin)
		if !ok {
			begin = first
		}
		left = max(pageKeys, s.seen) * 2 * growth
		pages = (growth*(pos-begin+1) + pageKeys - 1) / pageKeys
	}
	most := 1
	for range n.width {
		most *= decimal
	}
	at := pos + pages*pageKeys
	if pages == 0 || at >= (pos+most)/2 && !s.bounded {
		return "", 0
	}
	return n.name(at), left
}
