// Package ahead recognises, from the files of a directory that programs read, those who read them one after
// another, and says which ones they will want next. It is a pure state machine over positions in an order
// of the files: it knows no names, sizes or requests.
//
//	      one file           its neighbour          the next one in that direction
//	… ───────────────▶ seen ───────────────▶ pair ───────────────────────────────▶ run ◀──┐
//	                    ▲                      │                                     │ └──┘ within what was fetched,
//	                    └──────────────────────┴─────────────────────────────────────┘      or the one behind it
//	                         a file elsewhere is the first of another run
//
// A run has at most as many files ahead as were read in it, less two for each that was passed over, rounded down to a power of
// two, and at most [Most]: what is fetched for nothing is never more than what was read. It breaks by not going on: nothing is asked for but
// by a read that continues it.
package ahead

import (
	"math/bits"
	"slices"
)

// Most is the largest number of files ahead of the one that was read last.
const Most = 16

const (
	begin   = 3 // files in a row make a run
	maxRuns = 4 // are followed at a time in one directory
)

// Next are Count positions: From, From+Step, From+2·Step, … The zero value is none.
type Next struct{ From, Step, Count int }

// end is the position behind the last one.
func (n Next) end() int { return n.From + n.Step*n.Count }

// run is a program that reads one file after another, or may be one.
type run struct {
	last   int  // the furthest position read
	step   int  // 1 or -1; 0 = there was one file only
	length int  // files read, less two for each of passed
	passed int  // files passed over, and not read a moment later
	going  bool // it is a run
	front  int  // the first position that has not been asked for, if it is
}

// Runs follows the reads in one directory, in one order of its files. The zero value is ready.
type Runs struct {
	runs []run // the one that went on last is the last
}

// Read takes in that the file at pos of total ≥ 1 was read, and gives the files to fetch for those who will go on. They
// are not given again in this run, but for [Runs.Back].
func (r *Runs) Read(pos, total int) Next {
	for i := len(r.runs) - 1; i >= 0; i-- {
		switch at := r.runs[i]; at.judge(pos) {
		case again:
			return Next{}
		case late:
			r.runs[i].passed--
			r.runs[i].length += 2
			return Next{}
		case goesOn:
			r.runs = append(slices.Delete(r.runs, i, i+1), at.read(pos))
			return r.runs[len(r.runs)-1].extend(total)
		case elsewhere:
		}
	}
	if len(r.runs) == maxRuns {
		r.runs = slices.Delete(r.runs, 0, 1)
	}
	r.runs = append(r.runs, run{last: pos, length: 1})
	return Next{}
}

// Back takes back what Read gave last for a run: it is given again when the run goes on, as long as nobody has read it.
func (r *Runs) Back(n Next, unfetched int) {
	for i := range r.runs {
		if at := &r.runs[i]; at.going && at.step == n.Step && at.front == n.end() {
			at.front -= n.Step * min(unfetched, n.Count)
			return
		}
	}
}

// verdict is what a read is to a run.
type verdict uint8

const (
	elsewhere verdict = iota
	again             // one of the files that were read a moment ago
	late              // one that had been passed over
	goesOn
)

// judge compares a read with the run. What the kernel has in its page cache is never seen here, and processes that read
// side by side overtake each other: a run goes on anywhere in what was fetched for it.
func (a *run) judge(pos int) verdict {
	switch by := (pos - a.last) * a.step; {
	case pos == a.last:
		return again
	case a.step == 0:
		if pos == a.last+1 || pos == a.last-1 {
			return goesOn
		}
	case by == 1, by > 1 && a.going && by <= (a.front-a.last)*a.step && a.length+1-2*(by-1) >= begin:
		return goesOn
	case by < 0 && a.going && -by <= Most && a.passed > 0:
		return late
	case by < 0 && a.going && -by <= min(Most, a.length):
		return again
	}
	return elsewhere
}

// read is the run after a file that continues it.
func (a run) read(pos int) run {
	if a.step == 0 {
		a.step = pos - a.last
	}
	over := (pos-a.last)*a.step - 1
	a.last = pos
	a.length += 1 - 2*over
	a.passed += over
	if first := !a.going && a.length >= begin; first || a.going && (a.front-a.last)*a.step < 1 {
		a.going, a.front = true, a.last+a.step
	}
	return a
}

// extend moves the front to as far as the run has earned.
func (a *run) extend(total int) Next {
	if !a.going {
		return Next{}
	}
	most := min(Most, 1<<(bits.Len(uint(a.length))-1))
	target := min(max(a.last+a.step*most, 0), total-1)
	n := Next{From: a.front, Step: a.step, Count: max(0, (target-a.front)*a.step+1)}
	if n.Count == 0 {
		return Next{}
	}
	a.front = n.end()
	return n
}
