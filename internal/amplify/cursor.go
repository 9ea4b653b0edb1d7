package amplify

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// reader fills an App from a tree. The first error stays, and what is read after it does not matter.
type reader struct {
	app *App
	err error
}

// cursor is a place in the tree, which may not be there: then it reads as nothing.
type cursor struct {
	r    *reader
	n    *node // nil: not there
	line int   // of the key
	path string
}

// there reports whether the file has something at this place.
func (c cursor) there() bool { return c.n != nil }

// fail notes the first error.
func (c cursor) fail(mend, problem string, args ...any) {
	if c.r.err == nil {
		c.r.err = &Error{File: c.r.app.File, Line: c.line, Key: c.path, Problem: fmt.Sprintf(problem, args...), Mend: mend}
	}
}

// as wants a value to be of a kind; one that is not there is none, without an error.
func (c cursor) as(k kind) bool {
	switch {
	case c.n == nil || c.n.kind == kindNull:
		return false
	case c.n.kind == k:
		return true
	case c.n.kind == kindComputed:
		c.computed(c.n)
	default:
		c.fail("make it "+k.String(), "is %s, not %s", c.n.kind, k)
	}
	return false
}

func (c cursor) computed(n *node) {
	c.fail("write the value itself, or use amplify_outputs.json or amplifyconfiguration.json", "is %s, and nothing is computed here", n.text)
}

// get goes down along keys.
func (c cursor) get(keys ...string) cursor {
	for _, key := range keys {
		path := key
		if c.path != "" {
			path = c.path + "." + key
		}
		next := cursor{r: c.r, path: path}
		if c.as(kindObject) {
			if s := c.n.spread; s != nil {
				cursor{r: c.r, line: s.line, path: path}.fail("write the keys themselves, or use amplify_outputs.json or amplifyconfiguration.json",
					"may come from %s, and nothing is computed here", s.text)
			}
			if m := c.n.member(key); m != nil && m.value.kind != kindNull {
				next.n, next.line = m.value, m.line
			}
		}
		c = next
	}
	return c
}

// or is this place, or the other where this is not there.
func (c cursor) or(other cursor) cursor {
	if c.there() {
		return c
	}
	return other
}

// set notes where a field of the App comes from; "" is none.
func (c cursor) set(field string) {
	if field != "" {
		c.r.app.lines[field] = c.line
	}
}

// str reads a string that is not empty into a field.
func (c cursor) str(field string, to *string) {
	if !c.as(kindString) {
		return
	}
	if strings.TrimSpace(c.n.text) == "" {
		c.fail("write its value, or remove the key", "is empty")
		return
	}
	if strings.ContainsFunc(c.n.text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		c.fail("remove it", "has a control character in it")
		return
	}
	*to = c.n.text
	c.set(field)
}

// verbatim reads a string that may be empty.
func (c cursor) verbatim(field string, to **string) {
	if c.as(kindString) {
		*to = &c.n.text
		c.set(field)
	}
}

// secret reads a value that is never shown, in an error neither.
func (c cursor) secret(field string, to *Secret) {
	if c.n == nil || c.n.kind == kindNull {
		return
	}
	if c.n.kind != kindString {
		c.fail("write it as a string, or leave it out", "is not a string")
		return
	}
	*to = NewSecret(c.n.text)
	c.set(field)
}

// yes reads true or false; ok is whether the file says.
func (c cursor) yes() (yes, ok bool) {
	if c.n != nil && c.n.kind == kindString && (c.n.text == "true" || c.n.text == "false") {
		return c.n.text == "true", true // as Amplify's own types have it in places
	}
	if !c.as(kindBool) {
		return false, false
	}
	return c.n.text == "true", true
}

// whole reads a whole number that is not negative.
func (c cursor) whole(to *int) {
	if !c.as(kindNumber) {
		return
	}
	n, err := strconv.Atoi(c.n.text)
	if err != nil || n < 0 {
		c.fail("write a number such as 0 or 1", "is %s, not a whole number from 0 on", c.n.text)
		return
	}
	*to = n
}

// items are the elements of a list.
func (c cursor) items() (all []cursor) {
	if !c.as(kindArray) {
		return nil
	}
	for i, n := range c.n.items {
		all = append(all, cursor{r: c.r, n: n, line: n.line, path: fmt.Sprintf("%s[%d]", c.path, i)})
	}
	return all
}

// keyed is a member of an object whose keys are names.
type keyed struct {
	name string
	cursor
}

// members are those of an object whose keys are names.
func (c cursor) members() (all []keyed) {
	if !c.as(kindObject) {
		return nil
	}
	if s := c.n.spread; s != nil {
		cursor{r: c.r, line: s.line, path: c.path}.computed(s)
	}
	for _, m := range c.n.members {
		all = append(all, keyed{m.name, cursor{r: c.r, n: m.value, line: m.line, path: fmt.Sprintf("%s[%q]", c.path, m.name)}})
	}
	return all
}

// list reads strings, each one of allowed if that is not nil.
func (c cursor) list(allowed []string) (all []string) {
	for _, i := range c.items() {
		if !i.as(kindString) {
			continue
		}
		if allowed != nil && !slices.Contains(allowed, i.n.text) {
			i.fail("use "+strings.Join(allowed, ", "), "is %q, which is not known", i.n.text)
			continue
		}
		all = append(all, i.n.text)
	}
	return all
}

// word is a value that a file may have, and what it means.
type word struct{ says, means string }

// oneOf reads a string that is one of some words.
func (c cursor) oneOf(field string, to *string, words ...word) {
	if !c.as(kindString) {
		return
	}
	var known []string
	for _, w := range words {
		if c.n.text == w.says {
			*to = w.means
			c.set(field)
			return
		}
		known = append(known, w.says)
	}
	c.fail("use "+strings.Join(known, ", "), "is %q, which is not known", c.n.text)
}
