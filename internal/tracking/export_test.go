package tracking

// Buffer is the recorder's, for its model.
type Buffer struct{ buffer }

// NewBuffer makes one.
func NewBuffer(limit int) *Buffer { return &Buffer{buffer{limit: limit}} }

// Add takes an event.
func (b *Buffer) Add(e Event) bool { return b.add(e) }

// Take removes the first n.
func (b *Buffer) Take(n int) []Event { return b.take(n) }
