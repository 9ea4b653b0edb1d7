package uploader_test

import (
	"testing"
	"time"
)

// flightActs give names away whose deletes and moves are on their way, again and again.
func flightActs() []act {
	some := pause(latency + latency/2) // a request has begun
	renameDir := func(from, to string, names ...string) act {
		return act{"rename " + from + " " + to, func(c *script) error { return c.directoryMoved(key(from), key(to)) }, func(v view) {
			for _, name := range names {
				v[key(to+name)] = v[key(from+name)]
				delete(v, key(from+name))
			}
		}}
	}
	// A file is emptied and renamed with its directory before it is closed, and written again at once.
	closeMoved := act{"close d/f", func(c *script) error { return c.closed(key("c/f")) }, func(v view) { v[key("d/f")] = "" }}
	list := []act{
		putAct("c/f", "f1"), putAct("e", "e1"), putAct("m", "m1"), putAct("n", "n1"), putAct("a/b", "b1"), pause(time.Second),
		openAct("c/f", true), renameDir("c", "d", "/f"), some, closeMoved, some, putAct("d/f", "f2"), some, putAct("c/f", "f3"), some,
	}
	list = append(list, // A file gives way to a directory of its name, and that to a file.
		removeAct("e"), mkdirAct("e"), some, putAct("e/x", "x1"), some,
		removeAct("a/b"), mkdirAct("a/b"), some, renameDir("a", "g", "/b/"), some, putAct("a/b", "b2"),
	)
	return append(list, // A name is taken again while its version goes, or comes.
		removeAct("m"), putAct("m", "m2"), some, moveAct("m", "o"), some, removeAct("o"), putAct("m", "m3"),
		moveAct("n", "q"), putAct("n", "n2"), some, moveAct("n", "q"), some, removeAct("q"), mkdirAct("q"), some, renameDir("q", "r", "/"), putAct("q", "q1"),
		pause(5*time.Second),
	)
}

// TestKillInFlight kills the process before and after each record and each request of that.
func TestKillInFlight(t *testing.T) {
	killEverywhere(t, flightActs, 50, "Copy has been answered", "Delete is on its way")
}
