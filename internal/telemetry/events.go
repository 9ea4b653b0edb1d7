package telemetry

import (
	"maps"
	"sync"
)

// EventCounts counts what has happened, by kind. The zero value is ready; its methods are safe for concurrent use.
type EventCounts struct {
	mu     sync.Mutex
	counts map[string]int64
}

// Count counts one event of a kind.
func (e *EventCounts) Count(kind string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.counts == nil {
		e.counts = map[string]int64{}
	}
	e.counts[kind]++
}

// Counts are the events so far, by kind.
func (e *EventCounts) Counts() map[string]int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.counts)
}
