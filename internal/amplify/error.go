package amplify

import (
	"fmt"
	"strings"
)

// Error is something in an app's file that can not be used: where, what, and what to do. No value that may be secret is in it.
type Error struct {
	File    string
	Line    int    // from 1; 0 where it concerns the whole file
	Key     string // with dots and indexes, "" outside of any
	Problem string // "is …" or "has …", of the key
	Mend    string
}

// Error is one line: "FILE:LINE: KEY: PROBLEM; MEND".
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	if e.Key != "" {
		b.WriteString(": " + e.Key)
	}
	b.WriteString(": " + e.Problem)
	if e.Mend != "" {
		b.WriteString("; " + e.Mend)
	}
	return b.String()
}

func quote(s string) string { return fmt.Sprintf("%q", s) }

// article puts the right one before a noun.
func article(noun string) string {
	if strings.HasPrefix(noun, "i") {
		return "an " + noun
	}
	return "a " + noun
}
