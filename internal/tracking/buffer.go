package tracking

// buffer holds events in their order, a bounded number of them. The zero value with a limit is empty.
type buffer struct {
	limit  int
	events []Event
}

// add takes an event, unless the buffer is full: those that have waited longest are the ones that are sent next, so it is the new one that
// finds no room.
func (b *buffer) add(e Event) bool {
	if len(b.events) >= b.limit {
		return false
	}
	b.events = append(b.events, e)
	return true
}

// take removes the first n events, or as many as there are.
func (b *buffer) take(n int) []Event {
	n = min(n, len(b.events))
	out := append([]Event(nil), b.events[:n]...)
	b.events = append(b.events[:0], b.events[n:]...)
	return out
}

func (b *buffer) len() int { return len(b.events) }
