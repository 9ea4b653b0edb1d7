package amplify

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"unicode/utf8"
)

// maxFile bounds a file, in bytes. Gen 2 writes the models of the app's API into the same file.
const maxFile = 16 << 20

// bom is what editors of Windows put before a text.
const bom = "\ufeff"

// Read reads an app's file. Its errors are those of the file system, or an [*Error].
func Read(file string) (*App, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, &Error{File: file, Problem: fmt.Sprintf("is larger than %d MiB", maxFile>>20), Mend: "name the file that Amplify's tools have written"}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return Parse(file, text)
}

// Parse reads the text of an app's file in any of the shapes; file is its name in errors and origins. The error is an [*Error].
func Parse(file string, text []byte) (*App, error) {
	if err := checkText(file, text); err != nil {
		return nil, err
	}
	root, err := parseTree(file, strings.TrimPrefix(string(text), bom))
	if err != nil {
		return nil, err
	}
	r := &reader{app: &App{File: file, lines: map[string]int{}}}
	r.read(cursor{r: r, n: root, line: root.line})
	if r.err != nil {
		return nil, r.err
	}
	return r.app, nil
}

func parseTree(file, text string) (*node, error) {
	switch DetectFormat(file, text) {
	case Source:
		return parseSource(file, text, 1)
	case Dart:
		return parseDart(file, text)
	case TOML:
	}
	return parseTOML(file, text)
}

// checkText refuses what is no text that can be read.
func checkText(file string, text []byte) error {
	if len(text) > maxFile {
		return &Error{File: file, Problem: fmt.Sprintf("is larger than %d MiB", maxFile>>20), Mend: "name the file that Amplify's tools have written"}
	}
	if bytes.HasPrefix(text, []byte{0xff, 0xfe}) || bytes.HasPrefix(text, []byte{0xfe, 0xff}) {
		return &Error{File: file, Line: 1, Problem: "is in UTF-16", Mend: "save it as UTF-8"}
	}
	if utf8.Valid(text) {
		return nil
	}
	line := 1
	for rest := text; len(rest) > 0; {
		c, size := utf8.DecodeRune(rest)
		if c == utf8.RuneError && size == 1 {
			break
		}
		if c == '\n' {
			line++
		}
		rest = rest[size:]
	}
	return &Error{File: file, Line: line, Problem: "has bytes that are not UTF-8", Mend: "save it as UTF-8"}
}
