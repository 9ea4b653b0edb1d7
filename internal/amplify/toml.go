package amplify

import (
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// maxTOML bounds a TOML file, in bytes: its library's time grows with the square of the number of keys, 1 s for 15,000 of them.
const maxTOML = 64 << 10

// tomlTree makes a tree of a TOML file's expressions. Its library checks the file first: no key is set twice.
type tomlTree struct {
	unstable.Parser
	newlines []int // offsets
	root     *node
}

func parseTOML(file, text string) (*node, error) {
	if len(text) > maxTOML {
		return nil, &Error{File: file, Problem: "is too large for a configuration", Mend: "name another file"}
	}
	var whole map[string]any
	if err := toml.Unmarshal([]byte(text), &whole); err != nil {
		e := &Error{File: file, Problem: "is not TOML: " + oneLine(err.Error()), Mend: "mend that line"}
		if de, ok := errors.AsType[*toml.DecodeError](err); ok {
			e.Line, _ = de.Position()
		}
		return nil, e
	}
	t := &tomlTree{root: &node{kind: kindObject, line: 1}}
	for i, c := range []byte(text) {
		if c == '\n' {
			t.newlines = append(t.newlines, i)
		}
	}
	t.Reset([]byte(text))
	table := t.root
	for t.NextExpression() {
		switch e := t.Expression(); e.Kind {
		case unstable.Table:
			table = t.reach(t.root, e.Key(), false)
		case unstable.ArrayTable:
			table = t.reach(t.root, e.Key(), true)
		case unstable.KeyValue:
			t.set(table, e)
		default: // comments
		}
	}
	return t.root, nil
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// line of a key or value; a value that does not know where it stands has its key's.
func (t *tomlTree) line(n *unstable.Node, otherwise int) int {
	if n.Raw.Length == 0 {
		return otherwise
	}
	return 1 + sort.SearchInts(t.newlines, int(n.Raw.Offset))
}

// reach goes from a table along a key and makes what is not there; another makes the last of it a new element of a list.
func (t *tomlTree) reach(from *node, key unstable.Iterator, another bool) *node {
	for key.Next() {
		k := key.Node()
		name, line := string(k.Data), t.line(k, from.line)
		next := from.value(name)
		if next == nil {
			next = &node{kind: kindObject, line: line}
			if another && key.IsLast() {
				next.kind = kindArray
			}
			from.put(name, line, next)
		}
		if another && key.IsLast() {
			next.items = append(next.items, &node{kind: kindObject, line: line})
		}
		if next.kind == kindArray && len(next.items) > 0 {
			next = next.items[len(next.items)-1]
		}
		from = next
	}
	return from
}

// set takes "a.b = value" into a table.
func (t *tomlTree) set(table *node, e *unstable.Node) {
	key := e.Key()
	for key.Next() {
		k := key.Node()
		name, line := string(k.Data), t.line(k, table.line)
		if key.IsLast() {
			table.put(name, line, t.value(e.Value(), line))
			return
		}
		next := table.value(name)
		if next == nil {
			next = &node{kind: kindObject, line: line}
			table.put(name, line, next)
		}
		table = next
	}
}

func (t *tomlTree) value(v *unstable.Node, line int) *node {
	n := &node{line: t.line(v, line), text: string(v.Data)}
	switch v.Kind {
	case unstable.String:
		n.kind = kindString
	case unstable.Bool:
		n.kind = kindBool
	case unstable.Integer, unstable.Float:
		n.kind = kindNumber
	case unstable.Array:
		n.kind = kindArray
		for it := v.Children(); it.Next(); {
			n.items = append(n.items, t.value(it.Node(), n.line))
		}
	case unstable.InlineTable:
		n.kind = kindObject
		for it := v.Children(); it.Next(); {
			t.set(n, it.Node())
		}
	default:
		n.kind, n.text = kindComputed, fmt.Sprintf("a date or time (%s)", v.Kind)
	}
	return n
}
