package cache

import (
	"sync"
	"time"
)

// Stream is the access pattern of one handle. The zero value is ready; it is
// safe for concurrent use and must not be copied after its first use. [Cache.Leave] ends it.
type Stream struct {
	mu     sync.Mutex
	closed bool
	window window
	serial uint64 // identity of versions without an ETag; 0 = none yet
}

// activeStreams divides the readahead budget among the streams that read lately.
type activeStreams struct {
	mu    sync.Mutex
	last  map[*Stream]time.Time // of the stream's last read
	swept time.Time
}

// idleStream is how long after its last read a stream keeps its share.
const idleStream = 10 * time.Second

// share notes a read of s and returns the bytes that it may have ahead.
func (a *activeStreams) share(s *Stream, budget int64, now time.Time) int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.last == nil {
		a.last = map[*Stream]time.Time{}
		a.swept = now
	}
	a.last[s] = now
	if now.Sub(a.swept) > time.Second {
		a.swept = now
		for other, last := range a.last {
			if now.Sub(last) > idleStream {
				delete(a.last, other)
			}
		}
	}
	return budget / int64(len(a.last))
}

// leave gives back the share of s at once.
func (a *activeStreams) leave(s *Stream) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.last, s)
}

// Leave ends the access pattern of a handle that is not going to read any more: its share of the readahead is the
// others' at once, and what is being fetched ahead of it ends, unless somebody waits for that. Reads by way of s that are
// under way, or come later all the same, get their bytes, as reads on their own.
func (c *Cache) Leave(s *Stream) {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	c.active.leave(s)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.ahead {
		if f.by == s && f.waiters == 0 && !f.ended {
			c.end(f)
		}
	}
}

func (c *Cache) nextSerial() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.serial++
	return c.serial
}
