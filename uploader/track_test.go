package uploader

import (
	"slices"
	"testing"
)

// write is a whole write: begun and ended.
func (t *tracker) write(off, end int64) bool {
	return t.end(t.begin(span{off: off, end: end, data: make([]byte, end-off)}), true)
}

func TestTrackerPassedParts(t *testing.T) {
	tests := []struct {
		name   string
		writes [][2]int64
		want   []int
	}{
		{"one part", [][2]int64{{0, 10}}, nil},
		{"to its end exactly", [][2]int64{{0, 5}, {5, 10}}, nil},
		{"one byte beyond", [][2]int64{{0, 5}, {5, 11}}, []int{0}},
		{"three at once", [][2]int64{{0, 31}}, []int{0, 1, 2}},
		{"a hole is left", [][2]int64{{0, 9}, {10, 25}}, []int{1}},
		{"backwards", [][2]int64{{20, 30}, {10, 20}, {0, 10}}, []int{2, 1}},
		{"two writers", [][2]int64{{0, 5}, {10, 15}, {5, 10}, {15, 20}, {20, 21}}, []int{0, 1}},
		{"each once", [][2]int64{{0, 11}, {0, 10}, {10, 21}}, []int{0, 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tr := newTracker(layout{first: 10, max: 10})
			for _, w := range tt.writes {
				tr.write(w[0], w[1])
			}
			if !slices.Equal(tr.ready, tt.want) {
				t.Errorf("passed %v, want %v", tr.ready, tt.want)
			}
		})
	}
}

// What was written to while it was read does not count as uploaded, and neither does what is written to later.
func TestTrackerRaces(t *testing.T) {
	tr := newTracker(layout{first: 10, max: 10})
	tr.write(0, 25)
	seen, ok := tr.look(0)
	if !ok || !tr.uploaded(0, seen) || tr.dirty(0) {
		t.Error("a quiet part is not clean")
	}
	s := tr.begin(span{off: 3, end: 4, data: []byte{1}})
	if !tr.dirty(0) {
		t.Error("a write that has begun leaves the part clean")
	}
	if _, ok := tr.look(0); ok {
		t.Error("a part is read while it is written to")
	}
	tr.end(s, true)
	seen, _ = tr.look(0)
	tr.write(9, 10)
	if tr.uploaded(0, seen) || !tr.dirty(0) {
		t.Error("a part that was rewritten while it was sent is clean")
	}
	if !tr.dirty(1) {
		t.Error("a part that was never sent is clean")
	}
	seen, _ = tr.look(1)
	tr.uploaded(1, seen)
	tr.end(tr.begin(span{off: 15, end: toEnd}), true)
	if !tr.dirty(1) {
		t.Error("a truncated part is clean")
	}
}
