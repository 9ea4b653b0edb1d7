package amplify

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// tokenKind is what a token is.
type tokenKind int

const (
	tokenEnd tokenKind = iota
	tokenPunct
	tokenName
	tokenNumber
	tokenString
	tokenTemplate
)

// token is the smallest piece of a text.
type token struct {
	kind  tokenKind
	text  string // of a string its value
	line  int
	first bool // of its line
}

// is reports whether the token is this punctuation or name.
func (t token) is(text string) bool {
	return (t.kind == tokenPunct || t.kind == tokenName) && t.text == text
}

// what describes a token without telling a string, which may be secret.
func (t token) what() string {
	switch t.kind {
	case tokenEnd:
		return "the end of the file"
	case tokenString:
		return "a string"
	case tokenTemplate:
		return "a template string"
	case tokenNumber:
		return "a number"
	case tokenName:
		return "a name"
	case tokenPunct:
	}
	return `"` + t.text + `"`
}

// scanner takes text apart: JSON, and what JavaScript and TypeScript add to it in configuration files.
type scanner struct {
	file string
	text string
	at   int
	line int // of at
}

func newScanner(file, text string) *scanner {
	return &scanner{file: file, text: text, line: 1}
}

func (s *scanner) fail(line int, problem, mend string) error {
	return &Error{File: s.file, Line: line, Problem: problem, Mend: mend}
}

// next is the next token; at the end of the text tokenEnd, again and again.
func (s *scanner) next() (token, error) {
	first, err := s.space()
	if err != nil {
		return token{}, err
	}
	t := token{line: s.line, first: first}
	rest := s.text[s.at:]
	if rest == "" {
		return t, nil
	}
	switch c := rest[0]; {
	case c == '"' || c == '\'':
		t.kind = tokenString
		t.text, err = s.quoted(c)
		return t, err
	case c == '`':
		t.kind = tokenTemplate
		return t, s.template()
	case '0' <= c && c <= '9':
		t.kind, t.text = tokenNumber, number(rest)
	default:
		if t.text = name(rest); t.text != "" {
			t.kind = tokenName
			break
		}
		t.kind, t.text = tokenPunct, punct(rest)
	}
	s.at += len(t.text)
	return t, nil
}

// space passes white space and comments; first reports whether what follows is the first of its line.
func (s *scanner) space() (first bool, err error) {
	first = s.at == 0
	for s.at < len(s.text) {
		rest := s.text[s.at:]
		r, size := utf8.DecodeRuneInString(rest)
		switch {
		case r == '\n':
			s.line++
			first = true
			s.at++
		case unicode.IsSpace(r), string(r) == bom: // JavaScript has it among its white space
			s.at += size
		case strings.HasPrefix(rest, "//"):
			end := strings.IndexByte(rest, '\n')
			if end < 0 {
				end = len(rest)
			}
			s.at += end
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest[2:], "*/")
			if end < 0 {
				return false, s.fail(s.line, "has a comment that does not end", "close it with */")
			}
			comment := rest[:end+4]
			if n := strings.Count(comment, "\n"); n > 0 {
				s.line += n
				first = true
			}
			s.at += len(comment)
		default:
			return first, nil
		}
	}
	return first, nil
}

// template passes a template string, with the expressions and templates in it.
func (s *scanner) template() error {
	begin := s.line
	open := []byte{'`'} // what is open: templates, and braces of expressions in them
	for s.at++; len(open) > 0; s.at++ {
		if s.at >= len(s.text) {
			return s.fail(begin, "has a template string that does not end", "close it")
		}
		inTemplate := open[len(open)-1] == '`'
		switch c := s.text[s.at]; {
		case c == '\n':
			s.line++
		case c == '\\' && inTemplate:
			if s.at++; s.at < len(s.text) && s.text[s.at] == '\n' {
				s.line++
			}
		case c == '`' && inTemplate, c == '}' && !inTemplate:
			open = open[:len(open)-1]
		case c == '`', c == '{' && !inTemplate:
			open = append(open, c)
		case c == '$' && inTemplate && strings.HasPrefix(s.text[s.at:], "${"):
			open = append(open, '{')
			s.at++
		}
	}
	return nil
}

// number is the spelling of the number that text begins with.
func number(text string) string {
	for i := range len(text) {
		c := text[i]
		sign := (c == '+' || c == '-') && i > 0 && (text[i-1] == 'e' || text[i-1] == 'E')
		if !sign && c != '.' && c != '_' && !isLetter(rune(c)) && (c < '0' || c > '9') {
			return text[:i]
		}
	}
	return text
}

// name is the identifier that text begins with, "" if it begins with none.
func name(text string) string {
	for i, r := range text {
		if r == '_' || r == '$' || unicode.IsLetter(r) || i > 0 && unicode.IsDigit(r) {
			continue
		}
		return text[:i]
	}
	return text
}

// punct is the punctuation that text begins with: what reading needs to tell apart.
func punct(text string) string {
	for _, p := range []string{"...", "=>", "===", "==", "!==", "!="} {
		if strings.HasPrefix(text, p) {
			return p
		}
	}
	_, size := utf8.DecodeRuneInString(text)
	return text[:size]
}

func isLetter(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }
