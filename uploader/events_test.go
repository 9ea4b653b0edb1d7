package uploader

import (
	"testing"
	"testing/synctest"
)

// TestAwaitEvents: who waits for the events of a name waits for the last of those that were queued before, of what is
// below it too, and for no other name's.
func TestAwaitEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q eventQueue
		q.init()
		told := make(chan struct{})
		go q.run(func(Event) { <-told })
		add := func(keys ...string) {
			for _, key := range keys {
				q.add(Event{Kind: Committed, Key: key})
			}
		}
		over := func(c <-chan struct{}) bool {
			synctest.Wait()
			select {
			case <-c:
				return true
			default:
				return false
			}
		}
		add("a", "d/f", "a")
		if q.upTo("b") != nil || q.upTo("d/f/x") != nil || q.upTo("d/") != nil {
			t.Error("waits for names that nothing is to be told of")
		}
		a, below, all := q.upTo("a"), q.upTo("d"), q.upTo("")
		add("a", "d/")
		marker := q.upTo("d")
		for i, want := range []struct{ a, below, all, marker bool }{
			{}, {below: true}, {true, true, true, false}, {true, true, true, false}, {true, true, true, true},
		} {
			told <- struct{}{}
			if over(a) != want.a || over(below) != want.below || over(all) != want.all || over(marker) != want.marker {
				t.Errorf("after %d events: a %v, d %v, all %v, d/ %v", i+1, over(a), over(below), over(all), over(marker))
			}
		}
		if q.upTo("") != nil {
			t.Error("something is left")
		}
		q.close()
	})
}
