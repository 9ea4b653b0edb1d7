package uploader

import (
	"container/heap"
	"time"
)

// largeFiles are those that are sent in parts. Each has many requests and takes long, so a few at a time have a place, in the
// order in which they became ready; at most half of these places are for files that have failed before.
type largeFiles struct {
	running int
	again   int   // of them: have failed before
	fresh   []*op // that wait for a place, the first one first
	failed  []*op // likewise, that have failed before
}

// maxLarge bounds the files that are sent in parts at the same time.
func (u *Uploader) maxLarge() int { return max(1, u.cfg.Requests/4) }

// isLarge: the operation sends a file in parts. Called with mu held.
func (u *Uploader) isLarge(o *op) bool {
	return o.kind == opPut && o.gen.content != nil && o.gen.content.Size() > u.cfg.PartSize
}

// wanted: a file waits for a place.
func (l *largeFiles) wanted() bool { return len(l.fresh)+len(l.failed) > 0 }

// awaitLarge lets a file wait for its place. Called with mu held.
func (u *Uploader) awaitLarge(o *op) {
	if o.waitLarge {
		return
	}
	o.waitLarge = true
	q := &u.large.fresh
	if o.rounds > 0 {
		q = &u.large.failed
	}
	*q = append(*q, o)
}

// startLarge starts files as far as there are places for them. Called with mu held.
func (u *Uploader) startLarge(now time.Time) {
	for u.large.running < u.maxLarge() && u.running < u.maxRunningOps() {
		o := u.large.next(u.maxLarge())
		if o == nil {
			return
		}
		u.picks++
		o.waitLarge = false
		switch {
		case !u.runnable(o):
		case o.notBefore.After(now): // something has changed that meanwhile
			u.consider(o)
		case !u.postpone(o, now) && !u.park(o):
			if o.heapIndex > 0 {
				heap.Remove(&u.ready, o.heapIndex-1)
			}
			u.launchOp(o)
		}
	}
}

// next takes the file that has waited longest of those for which there is a place.
func (l *largeFiles) next(most int) *op {
	q := &l.fresh
	if len(l.failed) > 0 && l.again < max(1, most/2) &&
		(len(l.fresh) == 0 || l.failed[0].notBefore.Before(l.fresh[0].notBefore)) {
		q = &l.failed
	}
	if len(*q) == 0 {
		return nil
	}
	o := (*q)[0]
	(*q)[0] = nil
	*q = (*q)[1:]
	return o
}

// count notes the begin (1) or the end (-1) of a file's round.
func (l *largeFiles) count(again bool, n int) {
	l.running += n
	if again {
		l.again += n
	}
}
