package command

import (
	"errors"
	"strings"
)

// Errors of [Split].
var (
	ErrEmpty = errors.New("no program is named")
	ErrQuote = errors.New("a quote is opened and not closed")
)

// Split gives the words of a command line as a POSIX shell separates them: at spaces, tabs and line ends; '…' takes everything as it
// is, "…" all but \" and \\, and elsewhere \ takes the next character as it is. Nothing else has a meaning: no variables, no patterns, no
// pipes, no ~. Who wants those names a shell: sh -c '…'. The errors are ErrEmpty and ErrQuote.
// Source: POSIX.1-2024, Shell Command Language, 2.2 Quoting.
func Split(line string) ([]string, error) {
	var s splitter
	for _, r := range line {
		s.take(r)
	}
	if s.quote != 0 || s.escaped {
		return nil, ErrQuote
	}
	s.end()
	if len(s.words) == 0 || s.words[0] == "" {
		return nil, ErrEmpty
	}
	return s.words, nil
}

// splitter is the state between two characters.
type splitter struct {
	words   []string
	word    strings.Builder
	inWord  bool // word is one, be it empty
	quote   rune // the one that is open, else 0
	escaped bool // the character before was a \ that counts
}

func (s *splitter) take(r rune) {
	switch {
	case s.escaped:
		if s.quote == '"' && r != '"' && r != '\\' {
			s.word.WriteByte('\\')
		}
		s.word.WriteRune(r)
		s.escaped = false
	case r == '\\' && s.quote != '\'':
		s.escaped, s.inWord = true, true
	case s.quote != 0 && r == s.quote:
		s.quote = 0
	case s.quote != 0:
		s.word.WriteRune(r)
	case r == '\'' || r == '"':
		s.quote, s.inWord = r, true
	case r == ' ' || r == '\t' || r == '\n' || r == '\r':
		s.end()
	default:
		s.word.WriteRune(r)
		s.inWord = true
	}
}

func (s *splitter) end() {
	if s.inWord {
		s.words = append(s.words, s.word.String())
	}
	s.word.Reset()
	s.inWord = false
}
