package amplify

import (
	"path/filepath"
	"slices"
	"strings"
)

// Format is the language that a file is written in.
type Format int

// The formats.
const (
	TOML   Format = iota
	Source        // JSON, JavaScript, TypeScript
	Dart
)

// DetectFormat tells by the text, and where that could be anything by the file's name, how to read it. TOML is also what
// nothing else is.
func DetectFormat(file, text string) Format {
	if f := detect(text); f != TOML {
		return f
	}
	ext := strings.ToLower(filepath.Ext(file))
	switch {
	case slices.Contains([]string{".json", ".json5", ".js", ".mjs", ".cjs", ".ts", ".mts", ".cts"}, ext):
		return Source
	case ext == ".dart":
		return Dart
	}
	return TOML
}

// detect looks at the first tokens. No TOML begins with a brace, with two names in a row, or with a name and a bracket.
func detect(text string) Format {
	s := newScanner("", text)
	var t [3]token
	for i := range t {
		var err error
		if t[i], err = s.next(); err != nil {
			break // what was there so far must tell
		}
	}
	switch {
	case t[0].is("{"):
		return Source
	case t[0].kind == tokenString:
		if t[1].is("=") || t[1].is(".") || t[1].kind == tokenEnd {
			return TOML
		}
		return Source // 'use strict'
	case t[0].kind != tokenName:
		return TOML
	case t[1].is("."):
		if t[2].is("exports") || t[2].is("default") || t[2].is("configure") {
			return Source
		}
		return TOML
	case t[1].kind == tokenName, t[1].is("{"), t[1].is("*"), t[1].is("["), t[0].is("import"):
		if dart(text) {
			return Dart
		}
		return Source
	}
	return TOML
}

// dart reports whether the first thing that is assigned is a string in three quotes.
func dart(text string) bool {
	s := newScanner("", text)
	for {
		t, err := s.next()
		if err != nil || t.kind == tokenEnd {
			return false
		}
		if t.is("=") {
			break
		}
	}
	_, _ = s.space() // a comment that does not end leaves no string
	return tripleQuoted(strings.TrimPrefix(s.text[s.at:], "r"))
}
