package amplify

// kind is what a value is.
type kind int

const (
	kindNull     kind = iota // also undefined: as if it were not there
	kindBool                 // text is true or false
	kindNumber               // text is as written
	kindString               // text is the value
	kindArray                // items
	kindObject               // members
	kindComputed             // text says what would have to be computed
)

func (k kind) String() string {
	switch k {
	case kindBool:
		return "true or false"
	case kindNumber:
		return "a number"
	case kindString:
		return "a string"
	case kindArray:
		return "a list"
	case kindObject:
		return "an object"
	case kindNull, kindComputed:
	}
	return "nothing"
}

// node is a value and the line on which it begins.
type node struct {
	kind    kind
	line    int
	text    string
	items   []*node
	members []member // in the file's order
	index   map[string]int
	// spread is what is spread into an object: it may set or replace any of its keys.
	spread *node
	// name is set where a computed value is a variable and nothing else.
	name string
}

// member is a key of an object.
type member struct {
	name  string
	line  int
	value *node
}

// member finds a key; nil where it is not.
func (n *node) member(name string) *member {
	if i, ok := n.index[name]; ok {
		return &n.members[i]
	}
	return nil
}

// value finds the value of a key.
func (n *node) value(name string) *node {
	if m := n.member(name); m != nil {
		return m.value
	}
	return nil
}

// put adds a key that is not there.
func (n *node) put(name string, line int, value *node) {
	if n.index == nil {
		n.index = map[string]int{}
	}
	n.index[name] = len(n.members)
	n.members = append(n.members, member{name, line, value})
}
