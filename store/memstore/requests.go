package memstore

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/s3levelfs/s3levelfs/store"
)

// Request is one request as the store saw it. A page of a listing is one request.
type Request struct {
	ID         string
	Op         string // package op
	Key        string // key or prefix; "" for a DeleteMany
	Source     string // of a copy
	Keys       []string
	Cond       store.Cond
	Range      store.Range // of Get and CopyPart
	Part       int32
	StartAfter string // of a page of a listing: where the caller's listing began
	Delimiter  string
	Received   int64 // bytes of the body
	Err        error // nil when it succeeded, else a *store.Error
}

// String gives the request in one line, for the messages of tests.
func (r Request) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %q", r.Op, r.Key)
	if r.Source != "" {
		fmt.Fprintf(&b, " from %q", r.Source)
	}
	if len(r.Keys) > 0 {
		fmt.Fprintf(&b, " keys %q", r.Keys)
	}
	if r.Part > 0 {
		fmt.Fprintf(&b, " part %d", r.Part)
	}
	if r.Received > 0 {
		fmt.Fprintf(&b, " %d bytes", r.Received)
	}
	if r.Cond.IfMatch != "" {
		fmt.Fprintf(&b, " if-match %s", r.Cond.IfMatch)
	}
	if r.Cond.IfNoneMatch {
		b.WriteString(" if-none-match *")
	}
	if r.Err != nil {
		fmt.Fprintf(&b, ": %v", r.Err)
	}
	return b.String()
}

type requestLog struct {
	total    int // since New, for request ids
	requests []Request
	counts   map[string]int
	received int64
	sent     int64
}

func (l *requestLog) add(r Request) {
	l.total++
	l.requests = append(l.requests, r)
	if l.counts == nil {
		l.counts = map[string]int{}
	}
	l.counts[r.Op]++
	l.received += r.Received
}

// Counts returns the number of requests by op since New or ResetCounts, failed
// and denied ones included. A call whose context had already ended is none.
func (s *Store) Counts() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.log.counts == nil {
		return map[string]int{}
	}
	return maps.Clone(s.log.counts)
}

// Requests returns the requests since New or ResetCounts, in the order in which
// they took effect.
func (s *Store) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log.requests)
}

// BytesReceived returns the bytes of bodies that came in since New or
// ResetCounts, those of refused requests included.
func (s *Store) BytesReceived() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.received
}

// BytesSent returns the bytes read from bodies of Get since New or ResetCounts.
func (s *Store) BytesSent() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.sent
}

// ResetCounts forgets the requests and bytes counted so far.
func (s *Store) ResetCounts() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = requestLog{total: s.log.total}
}
