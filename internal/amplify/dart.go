package amplify

import "strings"

// parseDart reads the JSON in the string that a Dart file declares, between three quotes.
func parseDart(file, text string) (*node, error) {
	s := newScanner(file, text)
	for {
		t, err := s.next()
		if err != nil {
			return nil, err
		}
		if t.kind == tokenEnd {
			return nil, s.fail(0, "has no string with an app's configuration", "name the file that Amplify's tools have written")
		}
		if t.is("=") {
			break
		}
	}
	if _, err := s.space(); err != nil {
		return nil, err
	}
	rest, raw := strings.CutPrefix(s.text[s.at:], "r")
	if !tripleQuoted(rest) {
		return nil, s.fail(s.line, "has a value that is no string in three quotes", "write '''{…}''', as Amplify's tools do")
	}
	quotes := rest[:3]
	inner, _, closed := strings.Cut(rest[3:], quotes)
	if !closed {
		return nil, s.fail(s.line, "has a string that does not end", "close it with "+quotes)
	}
	if !raw {
		if i := strings.IndexAny(inner, `\$`); i >= 0 {
			return nil, s.fail(s.line+strings.Count(inner[:i], "\n"), "has "+map[byte]string{'\\': "an escape", '$': "an interpolation"}[inner[i]]+" in its string",
				"write r"+quotes+" before the object, so that it is taken as it stands")
		}
	}
	return parseSource(file, inner, s.line)
}

func tripleQuoted(text string) bool {
	return strings.HasPrefix(text, "'''") || strings.HasPrefix(text, `"""`)
}
