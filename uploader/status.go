package uploader

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
)

// maxItems bounds the list of a Status.
const maxItems = 1000

// shown is what the counters hold of one operation.
type shown struct {
	in    *int // the counter that it is in, nil = none
	bytes int64
}

// count brings the counters up to date with one operation. Called with mu held.
func (u *Uploader) count(o *op) {
	if o.shown.in != nil {
		*o.shown.in--
		u.counts.Bytes -= o.shown.bytes
	}
	o.shown = shown{}
	if u.fold.ops[o.id] != o {
		return
	}
	switch o.state() {
	case StateOpen:
		o.shown.in = &u.counts.Open
	case StateSending:
		o.shown.in = &u.counts.Sending
	case StateFailed, StateUnsure:
		o.shown.in = &u.counts.Failed
	default:
		o.shown.in = &u.counts.Queued
	}
	*o.shown.in++
	if o.gen != nil && o.is(flagSealed) {
		o.shown.bytes = o.gen.size
		u.counts.Bytes += o.shown.bytes
	}
}

// Status is a snapshot. It costs a pass over what is pending, without any disk or store.
func (u *Uploader) Status() Status {
	u.mu.Lock()
	defer u.mu.Unlock()
	s := Status{Counts: u.counts, LastError: u.lastErr, Requests: u.window.show()}
	if u.pause.err != nil {
		s.Paused, s.PausedUntil = u.pause.why(), u.pause.until
	}
	for _, l := range u.levels {
		ls := LevelStatus{Prefix: l.Prefix, State: l.state.String(), NoConditions: l.noCond}
		if l.err != nil {
			ls.Err = l.err.Error()
		}
		s.Levels = append(s.Levels, ls)
	}
	var failed, rest []Item
	for _, o := range u.fold.ops {
		if s.Oldest.IsZero() || o.since.Before(s.Oldest) {
			s.Oldest = o.since
		}
		switch {
		case o.rounds > 0 && len(failed) < maxItems:
			failed = append(failed, o.item())
		case o.rounds == 0 && len(rest) < maxItems:
			rest = append(rest, o.item())
		}
	}
	byAge := func(a, b Item) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Key, b.Key)) }
	slices.SortFunc(failed, byAge)
	slices.SortFunc(rest, byAge)
	items := append(failed, rest...)
	s.Items = items[:min(len(items), maxItems)]
	for _, q := range u.fold.quar {
		s.Quarantined = append(s.Quarantined, *q)
		if q.BaseLost {
			s.BaseLost++
		} else {
			s.Counts.Quarantined++
		}
	}
	slices.SortFunc(s.Quarantined, func(a, b Quarantined) int { return cmp.Compare(a.Gen, b.Gen) })
	return s
}

// item shows an operation. Called with mu held.
func (o *op) item() Item {
	i := Item{Key: o.key, To: o.to, What: o.kind.String(), State: o.state(), Since: o.since, Attempts: o.rounds, NextTry: o.notBefore}
	if o.kind == opDelete && strings.HasSuffix(o.key, "/") {
		i.What = "rmdir"
	}
	if o.gen != nil {
		i.Gen, i.Size = o.gen.id, o.gen.size
		if !o.is(flagSealed) && o.gen.content != nil {
			i.Size = o.gen.content.Size()
		}
	}
	if o.err != nil {
		i.Err = o.err.Error()
	}
	return i
}

// Retry lets everything that has failed be tried at once, and ends a pause.
func (u *Uploader) Retry() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.mayEnd(time.Now())
	for _, l := range u.levels {
		l.nextProbe = time.Now()
	}
	u.retry("")
}

// retry lets what has failed below a prefix be tried at once. Called with mu held.
func (u *Uploader) retry(prefix string) {
	now := time.Now()
	for _, o := range u.fold.ops {
		if strings.HasPrefix(o.key, prefix) && !o.running && o.notBefore.After(now) {
			u.at(o, now)
		}
	}
	u.poke()
}

// Sync puts everything logged so far on this machine's stable storage: fsync of a directory.
func (u *Uploader) Sync(ctx context.Context) error { return u.spool.Sync(ctx) }
