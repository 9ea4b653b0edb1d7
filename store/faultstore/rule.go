package faultstore

import (
	"fmt"
	"strings"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/op"
)

// Call is one call of the store.
type Call struct {
	N      int    // 1 for the store's first call
	Op     string // package op
	Key    string // target key or prefix; the first key of a DeleteMany
	Source string // of a copy
	Part   int32
	Range  store.Range // of Get and CopyPart
	Cond   store.Cond
}

// IsWrite reports whether the call may change the bucket.
func (c Call) IsWrite() bool { return op.IsWrite(c.Op) }

// String gives the call in one line.
func (c Call) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "call %d: %s %q", c.N, c.Op, c.Key)
	if c.Source != "" {
		fmt.Fprintf(&b, " from %q", c.Source)
	}
	if c.Part > 0 {
		fmt.Fprintf(&b, " part %d", c.Part)
	}
	return b.String()
}

// Ops that stand for several.
const (
	AnyOp    = ""      // every call
	AnyRead  = "read"  // head, get and list
	AnyWrite = "write" // all others
)

// Forever as Rule.Count keeps a rule until it is removed.
const Forever = -1

// Rule gives a fault to some calls. The zero value of a field matches everything.
type Rule struct {
	Op string // one of package op, or AnyRead, AnyWrite
	// Key is the target's key or prefix; with a "*" at its end, all that begin so.
	Key string
	// Where is a further condition; Name describes it.
	Where func(Call) bool
	Name  string

	Nth   int // the first matching call that gets the fault; 0 = 1
	Count int // how many get it; 0 = 1, Forever
	Fault Fault
}

// String gives the rule in one line.
func (r Rule) String() string {
	var b strings.Builder
	if r.Op == AnyOp {
		b.WriteString("any call")
	} else {
		b.WriteString(r.Op)
	}
	if r.Key != "" {
		fmt.Fprintf(&b, " %q", r.Key)
	}
	if r.Where != nil {
		name := r.Name
		if name == "" {
			name = "a condition of the test"
		}
		fmt.Fprintf(&b, " where %s", name)
	}
	if r.Nth > 1 {
		fmt.Fprintf(&b, ", from number %d on", r.Nth)
	}
	switch {
	case r.Count < 0:
		b.WriteString(", for good")
	case r.Count > 1:
		fmt.Fprintf(&b, ", %d times", r.Count)
	}
	fmt.Fprintf(&b, ": %v", r.Fault)
	return b.String()
}

func (r Rule) matches(c Call) bool {
	switch r.Op {
	case AnyOp:
	case AnyRead:
		if c.IsWrite() {
			return false
		}
	case AnyWrite:
		if !c.IsWrite() {
			return false
		}
	default:
		if r.Op != c.Op {
			return false
		}
	}
	if prefix, ok := strings.CutSuffix(r.Key, "*"); ok {
		if !strings.HasPrefix(c.Key, prefix) {
			return false
		}
	} else if r.Key != "" && r.Key != c.Key {
		return false
	}
	return r.Where == nil || r.Where(c)
}

// armed is a rule at work.
type armed struct {
	Rule
	seen  int // matching calls
	fired int
}

// take reports whether the rule's fault is for c, which it counts if it matches.
func (a *armed) take(c Call) bool {
	if !a.matches(c) {
		return false
	}
	a.seen++
	if a.seen < max(a.Nth, 1) || (a.Count >= 0 && a.fired >= max(a.Count, 1)) {
		return false
	}
	a.fired++
	return true
}
