package amplify

import (
	"slices"
	"strings"
)

// maxDepth bounds how deep values may be nested: no app's file comes near it, and a parser that calls itself must end.
const maxDepth = 100

// maxShown is how much of a name made of others is told, in bytes.
const maxShown = 80

// parser makes values of tokens, with one token of lookahead. A value that would have to be computed becomes a node of
// kindComputed that says what it is; it is an error only for whoever wants it.
type parser struct {
	*scanner
	tok   token // not taken yet
	depth int
}

func newParser(file, text string, line int) (*parser, error) {
	p := &parser{scanner: newScanner(file, text)}
	p.line = line
	return p, p.take()
}

// take goes on to the next token.
func (p *parser) take() (err error) {
	p.tok, err = p.next()
	return err
}

// value takes one value with the operators and types behind it.
func (p *parser) value() (*node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.fail(p.tok.line, "is nested too deeply", "use amplify_outputs.json or amplifyconfiguration.json as Amplify's tools write it")
	}
	defer func() { p.depth-- }()
	n, err := p.primary()
	if err != nil {
		return nil, err
	}
	for {
		switch t := p.tok; {
		case t.is("as") || t.is("satisfies"): // TypeScript: changes no value
			err = p.typed()
		case t.is("!") && !t.first:
			err = p.take()
		case p.operator():
			if n.kind != kindComputed {
				n = &node{kind: kindComputed, line: n.line, text: "an expression with " + t.what()}
			}
			n.name = ""
			return n, p.skip()
		default:
			return n, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// primary takes a value without operators.
func (p *parser) primary() (*node, error) {
	t := p.tok
	n := &node{line: t.line, text: t.text}
	switch t.kind {
	case tokenString:
		n.kind = kindString
	case tokenNumber:
		n.kind = kindNumber
	case tokenTemplate:
		n.kind, n.text = kindComputed, "a template string"
	case tokenName:
		return p.named()
	case tokenPunct:
		switch t.text {
		case "{":
			return n, p.object(n)
		case "[":
			return n, p.array(n)
		case "-", "+":
			return p.signed()
		case "(", "!", "~", "<", "/":
			n.kind, n.text = kindComputed, "an expression with "+t.what()
			return n, p.skip()
		case "...":
			return p.spread()
		}
		return nil, p.fail(t.line, "has "+t.what()+" where a value is wanted", "write a value, or remove it")
	case tokenEnd:
		return nil, p.fail(t.line, "has no value at its end", "write one, or close what is open")
	}
	return n, p.take()
}

// signed takes a number with its sign.
func (p *parser) signed() (*node, error) {
	sign := p.tok
	if err := p.take(); err != nil {
		return nil, err
	}
	n := &node{kind: kindNumber, line: sign.line, text: strings.TrimPrefix(sign.text, "+") + p.tok.text}
	if p.tok.kind != tokenNumber {
		n.kind, n.text = kindComputed, "an expression with "+sign.what()
		return n, p.skip()
	}
	return n, p.take()
}

// spread takes "...x".
func (p *parser) spread() (*node, error) {
	line := p.tok.line
	if err := p.take(); err != nil {
		return nil, err
	}
	of, err := p.value()
	if err != nil {
		return nil, err
	}
	text := "a spread"
	if of.name != "" {
		text = "a spread of " + of.name
	}
	return &node{kind: kindComputed, line: line, text: text}, nil
}

// named takes a value that begins with a name: a constant of the language, a variable, or an expression.
func (p *parser) named() (*node, error) {
	t := p.tok
	n := &node{line: t.line, text: t.text}
	if err := p.take(); err != nil {
		return nil, err
	}
	switch t.text {
	case "true", "false":
		n.kind = kindBool
		return n, nil
	case "null", "undefined":
		return n, nil
	case "new", "await", "typeof", "async", "function", "class", "void", "delete", "yield":
		n.kind, n.text = kindComputed, "code ("+t.text+")"
		return n, p.skip()
	}
	n.kind = kindComputed
	path, err := p.dotted(t.text)
	if err != nil {
		return nil, err
	}
	switch {
	case p.tok.is("(") && !p.tok.first:
		n.text = "a call of " + path
	case strings.HasPrefix(path, "process.env"), strings.HasPrefix(path, "import.meta"):
		n.text = path + ", which is known when the app is built"
	case path == t.text:
		n.text, n.name = "the variable "+path, path
	default:
		n.text = "the value of " + path
	}
	return n, nil
}

// dotted takes what follows the first of "a.b.c" and gives all of it; a very long one is cut.
func (p *parser) dotted(first string) (string, error) {
	var path strings.Builder
	path.WriteString(first)
	for p.tok.is(".") {
		if err := p.take(); err != nil {
			return "", err
		}
		if p.tok.kind != tokenName {
			break
		}
		if path.Len() < maxShown {
			path.WriteString("." + p.tok.text)
		}
		if err := p.take(); err != nil {
			return "", err
		}
	}
	return path.String(), nil
}

// operator reports whether the next token makes an expression of the value before it.
func (p *parser) operator() bool {
	t := p.tok
	switch t.kind {
	case tokenTemplate:
		return true
	case tokenName:
		return t.text == "in" || t.text == "instanceof"
	case tokenPunct:
		if t.first && (t.text == "(" || t.text == "[" || t.text == "{") {
			return false
		}
		return !slices.Contains([]string{",", "}", "]", ")", ";", ":", "{", "..."}, t.text)
	case tokenEnd, tokenNumber, tokenString:
	}
	return false
}

// skip passes the rest of an expression: up to what ends it on the same level.
func (p *parser) skip() error { return p.skipTo(false, ",", ";") }

// skipTo passes what is balanced up to one of the ends, a bracket that closes nothing in it, a new statement, or the end.
// In types < and > are brackets.
func (p *parser) skipTo(types bool, ends ...string) error {
	begin, depth, whole := p.tok.line, 0, false
	for {
		t := p.tok
		switch {
		case t.kind == tokenEnd && depth > 0:
			return p.fail(begin, "has a bracket that is not closed", "close it")
		case t.kind == tokenEnd, depth == 0 && p.depth <= 1 && whole && t.beginsStatement():
			return nil
		case t.kind != tokenPunct && t.kind != tokenName:
		case depth == 0 && slices.Contains(ends, t.text):
			return nil
		case t.opens(types):
			depth++
		case t.closes(types):
			if depth == 0 {
				return nil
			}
			depth--
		}
		whole = t.kind != tokenPunct || t.closes(types)
		if err := p.take(); err != nil {
			return err
		}
	}
}

func (t token) opens(types bool) bool {
	return t.is("{") || t.is("(") || t.is("[") || types && t.is("<")
}

func (t token) closes(types bool) bool {
	return t.is("}") || t.is(")") || t.is("]") || types && t.is(">")
}

// beginsStatement reports whether the token begins one behind what is whole without it: JavaScript needs no semicolon there.
func (t token) beginsStatement() bool {
	return t.first && t.kind == tokenName && !slices.Contains([]string{"as", "satisfies", "in", "instanceof"}, t.text)
}

// typed passes "as T" and "satisfies T".
func (p *parser) typed() error {
	if err := p.take(); err != nil {
		return err
	}
	return p.skipTo(true, ",", ";", "as", "satisfies")
}

// array takes "[…]".
func (p *parser) array(n *node) error {
	n.kind, n.text = kindArray, ""
	if err := p.take(); err != nil {
		return err
	}
	for !p.tok.is("]") {
		item, err := p.value()
		if err != nil {
			return err
		}
		n.items = append(n.items, item)
		if err := p.separator("]", n.line); err != nil {
			return err
		}
	}
	return p.take()
}

// separator takes the comma behind an element, which may be left out behind the last.
func (p *parser) separator(end string, opened int) error {
	switch {
	case p.tok.is(","):
		return p.take()
	case p.tok.is(end):
		return nil
	case p.tok.kind == tokenEnd:
		return p.fail(opened, "has a bracket that is not closed", `close it with "`+end+`"`)
	}
	return p.fail(p.tok.line, "has "+p.tok.what()+` where "," or "`+end+`" is wanted`, "check the comma before it")
}
