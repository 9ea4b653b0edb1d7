package amplify

import "fmt"

// module is a file of JSON, JavaScript or TypeScript: an object alone, or declarations one of which is exported.
type module struct {
	*parser
	vars     map[string]*node
	order    []string // of the variables
	exported *node
}

// parseSource reads such a file's object; line is that of its first line.
func parseSource(file, text string, line int) (*node, error) {
	p, err := newParser(file, text, line)
	if err != nil {
		return nil, err
	}
	if p.tok.is("{") || p.tok.is("[") || p.tok.kind == tokenNumber {
		return p.alone()
	}
	m := &module{parser: p, vars: map[string]*node{}}
	for p.tok.kind != tokenEnd {
		if err := m.statement(); err != nil {
			return nil, err
		}
	}
	return m.result()
}

// alone is a file that is one value.
func (p *parser) alone() (*node, error) {
	n, err := p.value()
	if err != nil {
		return nil, err
	}
	for p.tok.is(";") {
		if err := p.take(); err != nil {
			return nil, err
		}
	}
	if p.tok.kind != tokenEnd {
		return nil, p.fail(p.tok.line, "has "+p.tok.what()+" behind the end of the object", "remove it, or check the brackets before it")
	}
	return n, nil
}

// statement takes one statement. What could change the object when it runs is refused: nothing here runs.
func (m *module) statement() error {
	t := m.tok
	switch {
	case t.is(";"), t.kind == tokenString: // 'use strict'
		return m.take()
	case t.is("import"):
		return m.imported()
	case t.is("export"):
		return m.export()
	case t.is("const"), t.is("let"), t.is("var"):
		return m.declare()
	case t.is("interface"), t.is("type"), t.is("declare"):
		return m.types()
	case t.kind == tokenName:
		return m.assignment()
	}
	return m.code(t)
}

func (m *module) code(t token) error {
	what := t.what()
	if t.kind == tokenName {
		what = t.text + " …"
	}
	return m.fail(t.line, "has code ("+what+"), which is not run",
		"keep the declaration and the export of one object, or use amplify_outputs.json")
}

// imported passes an import: it ends with the file's name.
func (m *module) imported() error {
	for m.tok.kind != tokenString && m.tok.kind != tokenEnd {
		if err := m.take(); err != nil {
			return err
		}
	}
	if err := m.take(); err != nil {
		return err
	}
	if m.tok.is("with") || m.tok.is("assert") {
		return m.skipTo(false, ";")
	}
	return nil
}

// types passes declarations that are TypeScript's alone.
func (m *module) types() error {
	body := m.tok.is("interface")
	if err := m.take(); err != nil {
		return err
	}
	if !body {
		return m.skipTo(true, ";")
	}
	if err := m.skipTo(true, "{"); err != nil {
		return err
	}
	return m.braces()
}

// braces passes "{…}".
func (m *module) braces() error {
	if err := m.take(); err != nil {
		return err
	}
	m.depth += maxDepth // no line in them begins a statement
	err := m.skipTo(false)
	m.depth -= maxDepth
	if err != nil {
		return err
	}
	return m.take()
}

// export takes "export default x", "export const x = …", "export = x" and "export { x as default }".
func (m *module) export() error {
	if err := m.take(); err != nil {
		return err
	}
	switch t := m.tok; {
	case t.is("default"), t.is("="):
		if err := m.take(); err != nil {
			return err
		}
		return m.exports()
	case t.is("const"), t.is("let"), t.is("var"):
		return m.declare()
	case t.is("type"), t.is("interface"), t.is("declare"):
		return m.types()
	case t.is("{"):
		return m.exportList()
	default:
		return m.code(t)
	}
}

// exportList takes "{ a, b as default }".
func (m *module) exportList() error {
	var name token
	for !m.tok.is("}") && m.tok.kind != tokenEnd {
		t := m.tok
		if t.is("default") && name.text != "" {
			m.exported = &node{kind: kindComputed, line: t.line, text: "the variable " + name.text, name: name.text}
		}
		if t.kind == tokenName && t.text != "as" {
			name = t
		}
		if err := m.take(); err != nil {
			return err
		}
	}
	return m.take()
}

// exports takes the value that the file gives to others.
func (m *module) exports() (err error) {
	m.exported, err = m.value()
	return err
}

// declare takes "const a: T = …, b = …".
func (m *module) declare() error {
	for more := true; more; more = m.tok.is(",") {
		if err := m.take(); err != nil {
			return err
		}
		name := m.tok
		if name.kind != tokenName { // a pattern: what it takes apart is computed
			return m.skipTo(false, ";")
		}
		if err := m.take(); err != nil {
			return err
		}
		if m.tok.is(":") || m.tok.is("!") {
			if err := m.skipTo(true, "=", ";"); err != nil {
				return err
			}
		}
		if !m.tok.is("=") {
			continue
		}
		if err := m.take(); err != nil {
			return err
		}
		v, err := m.value()
		if err != nil {
			return err
		}
		if m.vars[name.text] == nil {
			m.order = append(m.order, name.text)
		}
		m.vars[name.text] = v
	}
	return nil
}

// assignment takes "module.exports = x", "exports.default = x" and "Amplify.configure(x)".
func (m *module) assignment() error {
	first := m.tok
	if err := m.take(); err != nil {
		return err
	}
	path, err := m.dotted(first.text)
	if err != nil {
		return err
	}
	switch {
	case m.tok.is("=") && (path == "module.exports" || path == "exports.default" || path == "module.exports.default"):
		if err := m.take(); err != nil {
			return err
		}
		return m.exports()
	case m.tok.is("(") && path == "Amplify.configure":
		if err := m.take(); err != nil {
			return err
		}
		if err := m.exports(); err != nil {
			return err
		}
		if err := m.skipTo(false); err != nil { // options of the library
			return err
		}
		return m.take()
	}
	return m.code(first)
}

// result is the object that the file is about: what it exports, or the only one that it declares.
func (m *module) result() (*node, error) {
	n := m.exported
	if n == nil {
		for _, name := range m.order {
			v := m.vars[name]
			if v.kind != kindObject {
				continue
			}
			if n != nil {
				return nil, m.fail(v.line, fmt.Sprintf("has several objects (another on line %d) and exports none of them", n.line), "export one by `export default`")
			}
			n = v
		}
	}
	for seen := 0; n != nil && n.name != "" && m.vars[n.name] != nil && seen <= len(m.vars); seen++ {
		n = m.vars[n.name]
	}
	if n == nil {
		return nil, m.fail(0, "has no object with an app's configuration", "name the file that Amplify's tools have written, such as amplify_outputs.json")
	}
	return n, nil
}
