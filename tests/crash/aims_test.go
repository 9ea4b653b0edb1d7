package crash

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/tests/rig"
)

// aim is the moment that a kill is meant for: a request at a point of its life, a close that has just returned, or any.
type aim struct {
	name    string
	classes []rig.Class
	point   rig.Point // 0: no request is waited for
	close   bool      // right after a close
	again   bool      // and once more while the next process is at work on what it found
}

// usual is the share of operations on large files, in 1,000.
const usual = 20

// aims are taken in turn. The first 15 have the shares that are asked for by themselves.
func aims() []aim {
	at := func(point rig.Point, classes ...rig.Class) aim {
		return aim{name: fmt.Sprintf("%v %v", classes[0], point), classes: classes, point: point}
	}
	parts := []rig.Class{rig.Part, rig.PartCopy}
	closed, random := aim{name: "after close", close: true}, aim{name: "random"}
	list := []aim{
		at(rig.Halfway, rig.Put), closed, at(rig.Unsent, rig.Complete), at(rig.Halfway, rig.Part), at(rig.Unanswered, rig.Copy),
		at(rig.Unanswered, rig.Put), closed, closed, at(rig.Unanswered, rig.Complete), at(rig.Unsent, parts...),
		at(rig.Unanswered, rig.Delete, rig.DeleteMany), at(rig.Unsent, rig.Put), at(rig.Unanswered, parts...), at(rig.Unsent, rig.Copy), closed,
		at(rig.Unsent, rig.Delete, rig.DeleteMany), at(rig.Unanswered, rig.Create), closed, random, at(rig.Halfway, rig.Complete),
	}
	for i := range list {
		list[i].again = i%4 == 3
	}
	return list
}

// large is the share of operations on large files, in 1,000, that brings the moment soon.
func (a aim) large() int64 {
	if slices.ContainsFunc(a.classes, func(c rig.Class) bool {
		return c == rig.Part || c == rig.PartCopy || c == rig.Complete || c == rig.Create
	}) {
		return 150
	}
	return usual
}

// wait returns at the moment of the aim. hit: it was that; closed: of which close, if it was one.
func (a aim) wait(t *testing.T, l *load, p *rig.Proxy, rnd *rand.Rand) (hit bool, closed *file) {
	t.Helper()
	l.large.Store(usual)
	for range 2000 { // 20 s
		if l.closes.Load() >= l.quota {
			break
		}
		<-time.After(10 * time.Millisecond)
	}
	l.large.Store(a.large())
	<-time.After(time.Duration(50+rnd.IntN(900)) * time.Millisecond)
	const patience = 20 * time.Second // of a load that makes such requests all the time
	switch {
	case a.close:
		for timeout := time.After(patience); ; {
			select {
			case closed = <-l.closed:
				if int64(l.begun(closed.path)) == closed.begun.Load() { // else this machine was too slow for it
					return true, closed
				}
			case <-timeout:
				return false, nil
			}
		}
	case a.point == 0:
		return true, nil
	}
	trap := p.SetTrap(t, a.point, func(c rig.Class, r *http.Request) bool {
		if c == rig.Copy && strings.HasSuffix(r.Header.Get("X-Amz-Copy-Source"), r.URL.EscapedPath()) {
			return false // of an object to itself: its headers
		}
		return slices.Contains(a.classes, c)
	})
	select {
	case <-trap.Caught():
		return true, nil
	case <-time.After(patience):
		return false, nil
	}
}

// kills counts what kills have hit.
type kills struct {
	n                                   int
	inFlight, flushed, complete, rename int            // not exclusive: a Complete is an upload in flight, too
	aims                                map[string]int // by name
	missed                              map[string]int
}

// note takes down a moment: what was on the way, and whether the file that was closed last had not been asked about yet.
func (k *kills) note(a aim, hit bool, flying map[rig.Class]int, untouched bool) {
	k.n++
	if hit {
		k.aims[a.name]++
	} else {
		k.missed[a.name]++
	}
	count := func(n *int, so bool) {
		if so {
			*n++
		}
	}
	count(&k.inFlight, flying[rig.Put]+flying[rig.Part]+flying[rig.PartCopy]+flying[rig.Complete] > 0)
	count(&k.complete, flying[rig.Complete] > 0)
	count(&k.rename, flying[rig.Copy]+flying[rig.Delete]+flying[rig.DeleteMany] > 0)
	count(&k.flushed, untouched)
}

// report prints the histogram and asserts the shares.
func (k *kills) report(t *testing.T) {
	t.Helper()
	share := func(n int) string { return fmt.Sprintf("%d (%d %%)", n, 100*n/k.n) }
	t.Logf("%d kills: %s with an upload in flight, %s of them inside Complete, %s right after a close before the first request, "+
		"%s inside a copy or delete", k.n, share(k.inFlight), share(k.complete), share(k.flushed), share(k.rename))
	for _, name := range sortedKeys(k.aims) {
		t.Logf("  %-38s %4d %s", name, k.aims[name], strings.Repeat("#", k.aims[name]))
	}
	for name, n := range k.missed {
		t.Logf("  %-38s %4d missed: killed all the same", name, n)
	}
	for what, s := range map[string]struct{ n, percent int }{
		"an upload in flight": {k.inFlight, 30}, "flush and first request": {k.flushed, 10}, "Complete": {k.complete, 5},
	} {
		if 100*s.n < s.percent*k.n {
			t.Errorf("only %d of %d kills hit %s, want %d %%", s.n, k.n, what, s.percent)
		}
	}
}
