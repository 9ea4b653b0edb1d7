package amplify

import "fmt"

// object takes "{…}".
func (p *parser) object(n *node) error {
	n.kind, n.text = kindObject, ""
	if err := p.take(); err != nil {
		return err
	}
	for !p.tok.is("}") {
		if err := p.property(n); err != nil {
			return err
		}
		if err := p.separator("}", n.line); err != nil {
			return err
		}
	}
	return p.take()
}

// property takes one "key: value", or what JavaScript allows in its place.
func (p *parser) property(n *node) (err error) {
	key := p.tok
	switch {
	case key.is("..."):
		n.spread, err = p.spread()
		return err
	case key.is("["): // [name]: value may be any key
		n.spread = &node{kind: kindComputed, line: key.line, text: "a computed key"}
		return p.skip()
	case key.kind == tokenEnd:
		return p.fail(n.line, "has a bracket that is not closed", `close it with "}"`)
	case key.kind == tokenPunct, key.kind == tokenTemplate:
		return p.fail(key.line, "has "+key.what()+" where a key is wanted", "check the comma before it")
	}
	if err := p.take(); err != nil {
		return err
	}
	var v *node
	switch {
	case p.tok.is(":"):
		if err := p.take(); err != nil {
			return err
		}
		if v, err = p.value(); err != nil {
			return err
		}
	case key.kind == tokenName && (p.tok.is(",") || p.tok.is("}")): // { key }
		v = &node{kind: kindComputed, line: key.line, text: "the variable " + key.text}
	case key.kind == tokenName && (p.tok.is("(") || p.tok.kind == tokenName): // key() {…}, get key() {…}
		v = &node{kind: kindComputed, line: key.line, text: "a function"}
		if err := p.skip(); err != nil {
			return err
		}
	default:
		return p.fail(key.line, `has a key without ":"`, "write key: value")
	}
	return n.add(p.file, member{name: key.text, line: key.line, value: v})
}

// add puts a member into an object. JavaScript takes the last of two, a reader the first: neither is guessed.
func (n *node) add(file string, m member) error {
	if other := n.member(m.name); other != nil {
		return &Error{
			File: file, Line: m.line, Key: m.name,
			Problem: fmt.Sprintf("is set a second time (first on line %d)", other.line), Mend: "keep one of both",
		}
	}
	n.put(m.name, m.line, m.value)
	return nil
}
