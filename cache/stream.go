package cache

import (
	"sync"
	"time"
)

// Stream is the access pattern of one handle. The zero value is ready; it is
// safe for concurrent use and must not be copied after its first use.
type Stream struct {
	mu     sync.Mutex
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

func (c *Cache) nextSerial() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.serial++
	return c.serial
}
