package history

import (
	"fmt"
	"maps"
	"slices"
	"sync"
)

// Write is one write of one mount.
type Write struct {
	Writer string
	Key    string
	Bytes  string // of the whole file after it; no two writes have the same
	Base   string // of the version that it was built on, "" = the file was new
	Gen    string // by which the mount knows it, "" = not known
	Acked  bool   // close returned without an error
}

// History is what was written and what became of it. It is safe for concurrent use.
type History struct {
	mu       sync.Mutex
	n        int
	writes   []Write
	raw      map[string]bool // bytes of the direct writer
	replaced map[string]bool // bytes that he replaced
}

// New returns an empty history.
func New() *History {
	return &History{raw: map[string]bool{}, replaced: map[string]bool{}}
}

// Tag gives the next write its name.
func (h *History) Tag(writer string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.n++
	return fmt.Sprintf("<%s %d>", writer, h.n)
}

// Wrote records a write of a mount.
func (h *History) Wrote(w Write) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.writes = append(h.writes, w)
}

// Replaced records an unconditional PUT of the direct writer and the bytes that it replaced, "" = none.
func (h *History) Replaced(was, by string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.raw[by] = true
	if was != "" {
		h.replaced[was] = true
	}
}

// Counts says what became of the acknowledged writes.
type Counts struct {
	Stored, Superseded, Overwritten, BaseLost int
}

// Add sums up.
func (c *Counts) Add(d Counts) {
	c.Stored += d.Stored
	c.Superseded += d.Superseded
	c.Overwritten += d.Overwritten
	c.BaseLost += d.BaseLost
}

// Judge accounts for each acknowledged write. objects are the bucket's in the end; baseLost tells whether a mount lists
// the write as base-lost. What is returned besides is wrong.
func (h *History) Judge(objects map[string]string, baseLost func(Write) bool) (c Counts, wrong []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	stored, written, next := map[string]bool{}, maps.Clone(h.raw), map[string]bool{}
	for _, data := range objects {
		stored[data] = true
	}
	for _, w := range h.writes {
		written[w.Bytes] = true
		if w.Acked {
			next[w.Base] = true
		}
	}
	for _, k := range slices.Sorted(maps.Keys(objects)) {
		if !written[objects[k]] {
			wrong = append(wrong, fmt.Sprintf("%q has %q, which nobody wrote", k, objects[k]))
		}
	}
	for _, w := range h.writes {
		switch {
		case !w.Acked:
		case stored[w.Bytes]:
			c.Stored++
		case next[w.Bytes]:
			c.Superseded++
		case h.replaced[w.Bytes]:
			c.Overwritten++
		case baseLost(w):
			c.BaseLost++
		default:
			wrong = append(wrong, fmt.Sprintf("%s's %q of %q, built on %q, is lost", w.Writer, w.Bytes, w.Key, w.Base))
		}
	}
	return c, wrong
}

// Dump lists the writes, for the messages of tests.
func (h *History) Dump() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	lines := make([]string, 0, len(h.writes))
	for _, w := range h.writes {
		lines = append(lines, fmt.Sprintf("%+v", w))
	}
	return lines
}
