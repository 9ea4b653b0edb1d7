package listing

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// space maps names to fractions and back, so that a point between two names can be guessed: digits of a number in which each
// place has the alphabet that was seen there.
type space struct {
	fixed  string // what all names begin with, up to the first place
	places [][]byte
}

const (
	maxPlaces = 20 // names differ in more only where fractions do no more

	// roomToGrow is how many places that have not changed yet may change: file-000999 is followed by file-001000. With
	// what separates them, as in dates, they are among so many bytes.
	roomToGrow = 5
	roomBytes  = 8
)

const (
	digits = "0123456789"
	hexLow = digits + "abcdef"
	hexUp  = digits + "ABCDEF"
	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// newSpace learns from names, sorted. It has no places if they tell nothing.
func newSpace(names []string) space {
	if len(names) < 2 {
		return space{}
	}
	first, last := names[0], names[len(names)-1]
	start := 0
	for start < min(len(first), len(last)) && first[start] == last[start] {
		start++
	}
	seen := make([][]byte, 0, maxPlaces+roomBytes) // the bytes of each place, from back on
	back := max(0, start-roomBytes)
	for i := back; i < start+maxPlaces; i++ {
		var set []byte
		for _, name := range names {
			if i < len(name) && !slices.Contains(set, name[i]) {
				set = append(set, name[i])
			}
		}
		if len(set) == 0 {
			break
		}
		slices.Sort(set)
		seen = append(seen, set)
	}
	class := mixedClass(seen[min(len(seen), start-back):])
	from, room := start, roomToGrow
	for i := start - 1; i >= back && room > 0; i-- {
		switch c := first[i]; {
		case counts(c, class):
			from = i
			room--
		case strings.IndexByte(digits+lower+upper, c) >= 0:
			room = 0
		}
	}
	seen = seen[min(len(seen), from-back):]
	s := space{fixed: first[:from]}
	for _, set := range seen {
		s.places = append(s.places, alphabet(set, class))
	}
	return s
}

// counts: a byte that has not changed may do so, as a digit.
func counts(c byte, class string) bool {
	if class == "" {
		class = digits
	}
	return strings.IndexByte(class, c) >= 0
}

// mixedClass is the alphabet of places with digits and letters, "" if there is none.
func mixedClass(seen [][]byte) string {
	var mixed []byte
	for _, set := range seen {
		if strings.ContainsAny(string(set), digits) && strings.ContainsAny(string(set), lower+upper) {
			mixed = append(mixed, set...)
		}
	}
	if len(mixed) == 0 {
		return ""
	}
	within := func(class string) bool { return strings.Trim(string(mixed), class) == "" }
	for _, class := range []string{hexLow, hexUp, digits + lower, digits + upper} {
		if within(class) {
			return class
		}
	}
	return digits + upper + lower
}

// alphabet is what a place may hold, given what was seen there.
func alphabet(seen []byte, mixed string) []byte {
	text := string(seen)
	within := func(class string) bool { return strings.Trim(text, class) == "" }
	switch {
	case mixed != "" && within(mixed):
		return []byte(mixed)
	case within(digits):
		return []byte(digits)
	case len(seen) == 1:
		return seen
	case within(lower):
		return []byte(lower)
	case within(upper):
		return []byte(upper)
	}
	return seen
}

// fraction is where a name lies, from 0 to 1.
func (s space) fraction(name string) float64 {
	rest, in := strings.CutPrefix(name, s.fixed)
	if !in {
		if name < s.fixed {
			return 0
		}
		return 1
	}
	f, width := 0.0, 1.0
	for i := range min(len(rest), len(s.places)) {
		at, found := slices.BinarySearch(s.places[i], rest[i])
		width /= float64(len(s.places[i]))
		f += float64(at) * width
		if !found {
			break
		}
	}
	return f
}

// name is a name at a fraction, as short as tells it from others at that distance.
func (s space) name(f, distance float64) string {
	b, width := []byte(s.fixed), 1.0
	for _, places := range s.places {
		f *= float64(len(places))
		at := min(int(f), len(places)-1)
		f -= float64(at)
		b = append(b, places[at])
		if width /= float64(len(places)); width < distance/8 {
			break
		}
	}
	return characters(string(b))
}

// characters cuts a name off where a character is not whole, as bytes of several may have been put together: S3 begins a listing at
// nothing but UTF-8.
func characters(name string) string {
	for i, r := range name {
		if r == utf8.RuneError && !strings.HasPrefix(name[i:], string(utf8.RuneError)) {
			return name[:i]
		}
	}
	return name
}

// stretch is what is known of the names from one point to another, when some of them, the first ones, have been seen.
type stretch struct {
	names   []string // of the last page, sorted
	origin  string   // the first name of the directory
	first   string   // the first name seen
	pos     string   // the last
	seen    int      // how many
	to      string   // the end, if bounded
	bounded bool
}

// growth is how many times as far as what was seen the middle of a stretch without an end is looked for.
const growth = 6

// split guesses a name in the middle of what is left of the stretch, and how many are left. It gives "" where nothing can be
// guessed.
func (s stretch) split() (mid string, left int) {
	if mid, left = s.step(); mid != "" {
		return mid, left
	}
	sp := newSpace(s.names)
	if len(sp.places) == 0 {
		return "", 0
	}
	begin, pos, end := sp.fraction(s.first), sp.fraction(s.pos), 1.0
	if !strings.HasPrefix(s.first, sp.fixed) { // the names have changed their form since
		begin, s.seen = sp.fraction(s.names[0]), min(s.seen, pageKeys)
	}
	if s.bounded {
		end = sp.fraction(s.to)
	}
	if pos <= begin || end <= pos {
		return "", 0
	}
	left = int(min(1e9, float64(s.seen)*(end-pos)/(pos-begin)))
	at := (pos + end) / 2
	if far := pos + growth*(pos-min(begin, sp.fraction(s.origin))); !s.bounded && far < at {
		at, left = far, max(pageKeys, s.seen)*2*growth
	}
	mid = sp.name(at, min(at-pos, end-at))
	if mid <= s.pos || s.bounded && mid >= s.to {
		return "", 0
	}
	return mid, left
}
