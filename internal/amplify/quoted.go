package amplify

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// quoted takes a string with its escapes: JSON's, and those that JavaScript has besides.
func (s *scanner) quoted(quote byte) (string, error) {
	begin := s.line
	var b strings.Builder
	for s.at++; s.at < len(s.text); {
		switch c := s.text[s.at]; c {
		case quote:
			s.at++
			return b.String(), nil
		case '\n':
			return "", s.fail(begin, "has a string that does not end on its line", "close it with "+string(quote))
		case '\\':
			s.at++
			if err := s.escape(&b); err != nil {
				return "", err
			}
		default:
			b.WriteByte(c)
			s.at++
		}
	}
	return "", s.fail(begin, "has a string that does not end on its line", "close it with "+string(quote))
}

// escape takes what follows a backslash.
func (s *scanner) escape(b *strings.Builder) error {
	if s.at >= len(s.text) {
		return nil // the string does not end: quoted says so
	}
	c := s.text[s.at]
	s.at++
	switch c {
	case 'b':
		b.WriteByte('\b')
	case 'f':
		b.WriteByte('\f')
	case 'n':
		b.WriteByte('\n')
	case 'r':
		b.WriteByte('\r')
	case 't':
		b.WriteByte('\t')
	case 'v':
		b.WriteByte('\v')
	case '0':
		b.WriteByte(0)
	case '\n': // the string goes on in the next line
		s.line++
	case 'x':
		return s.hex(b, 2)
	case 'u':
		return s.unicode(b)
	default:
		b.WriteByte(c)
	}
	return nil
}

// unicode takes what follows \u: four digits, two such halves, or digits in braces.
func (s *scanner) unicode(b *strings.Builder) error {
	if strings.HasPrefix(s.text[s.at:], "{") {
		end := strings.IndexByte(s.text[s.at:], '}')
		if end < 0 || end > 8 {
			return s.badEscape()
		}
		s.at++
		if err := s.hex(b, end-1); err != nil {
			return err
		}
		s.at++
		return nil
	}
	high, ok := hexDigits(s.text[s.at:], 4)
	if !ok {
		return s.badEscape()
	}
	s.at += 4
	if rest, found := strings.CutPrefix(s.text[s.at:], `\u`); found && utf16.IsSurrogate(high) {
		if low, ok := hexDigits(rest, 4); ok {
			if r := utf16.DecodeRune(high, low); r != utf8.RuneError {
				s.at += 6
				high = r
			}
		}
	}
	b.WriteRune(high) // half of a pair alone becomes the replacement character
	return nil
}

func (s *scanner) hex(b *strings.Builder, digits int) error {
	r, ok := hexDigits(s.text[s.at:], digits)
	if !ok {
		return s.badEscape()
	}
	s.at += digits
	b.WriteRune(r)
	return nil
}

func (s *scanner) badEscape() error {
	return s.fail(s.line, "has an escape in a string that is not whole", "write \\u and four hexadecimal digits")
}

func hexDigits(text string, digits int) (rune, bool) {
	if digits < 1 || len(text) < digits {
		return 0, false
	}
	n, err := strconv.ParseUint(text[:digits], 16, 32)
	return rune(n), err == nil && n <= utf8.MaxRune
}
