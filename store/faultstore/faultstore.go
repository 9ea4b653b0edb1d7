package faultstore

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/op"
)

// Hooks are called around every call, from its goroutine and without locks: they
// may use the decorated store.
type Hooks struct {
	Before func(Call)
	After  func(Call, error)
}

// Store is a store with faults. It is safe for concurrent use.
type Store struct {
	inner store.Store

	mu      sync.Mutex
	calls   []Call
	rules   []*armed
	fired   []string
	outage  *Fault
	hooks   Hooks
	waiting map[chan struct{}]Call // stalled calls
}

var (
	_ store.Store  = (*Store)(nil)
	_ store.Syncer = (*Store)(nil)
)

// New decorates inner. Without rules every call passes.
func New(inner store.Store, rules ...Rule) *Store {
	s := &Store{inner: inner, waiting: map[chan struct{}]Call{}}
	s.Add(rules...)
	return s
}

// Add appends rules. They count the calls from now on.
func (s *Store) Add(rules ...Rule) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range rules {
		s.rules = append(s.rules, &armed{Rule: r})
	}
}

// Clear removes all rules. Stalled calls stay so.
func (s *Store) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = nil
}

// SetHooks replaces the hooks.
func (s *Store) SetHooks(h Hooks) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hooks = h
}

// StartOutage makes every call, and every body that is still being read, fail
// with f until EndOutage. The zero Fault means Refused.
func (s *Store) StartOutage(f Fault) {
	if f.answer == nil {
		f = Refused()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outage = &f
}

// EndOutage lets calls pass again.
func (s *Store) EndOutage() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outage = nil
}

// Release lets all calls and bodies that are stalled now go on, and returns how
// many these were.
func (s *Store) Release() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.waiting)
	for gate := range s.waiting {
		close(gate)
	}
	clear(s.waiting)
	return n
}

// Stalled returns the calls that are stalled now, in the order of their numbers.
func (s *Store) Stalled() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := make([]Call, 0, len(s.waiting))
	for _, c := range s.waiting {
		calls = append(calls, c)
	}
	slices.SortFunc(calls, func(a, b Call) int { return a.N - b.N })
	return calls
}

// Calls returns all calls so far in their order.
func (s *Store) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// Fired returns what was done to which call, for the messages of tests.
func (s *Store) Fired() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.fired)
}

// Limits implements store.Store.
func (s *Store) Limits() store.Limits { return s.inner.Limits() }

// Close implements store.Store.
func (s *Store) Close() error { return s.inner.Close() }

// Sync implements store.Syncer; a store that is none has nothing to sync.
func (s *Store) Sync(ctx context.Context) error {
	if syncer, ok := s.inner.(store.Syncer); ok {
		return syncer.Sync(ctx)
	}
	return nil
}

// call runs one call through its fault. One whose context has already ended is
// none: it would not leave the machine.
func (s *Store) call(ctx context.Context, c Call, pass func(context.Context, Fault) error) error {
	if ctx.Err() != nil {
		return &store.Error{Op: c.Op, Key: c.Key, Kind: store.ErrTransient, Err: context.Cause(ctx)}
	}
	c, f, hooks := s.begin(c)
	if hooks.Before != nil {
		hooks.Before(c)
	}
	err := s.apply(ctx, c, f, pass)
	if hooks.After != nil {
		hooks.After(c, err)
	}
	return err
}

func (s *Store) apply(ctx context.Context, c Call, f Fault, pass func(context.Context, Fault) error) error {
	if !f.applied {
		if err := s.happen(ctx, c, f); err != nil {
			return err
		}
		return pass(ctx, f)
	}
	if err := pass(ctx, f); err != nil {
		return err
	}
	return s.happen(ctx, c, f)
}

// happen does what f does to a call, bodies apart.
func (s *Store) happen(ctx context.Context, c Call, f Fault) error {
	if f.action != nil {
		f.action()
	}
	if f.stall {
		if err := s.wait(ctx, c); err != nil {
			return err
		}
	}
	if f.answer == nil || f.body != bodyWhole || (f.keys != nil && c.Op == op.DeleteMany) {
		return nil
	}
	return f.failure(c)
}

// begin numbers a call and finds its fault.
func (s *Store) begin(c Call) (Call, Fault, Hooks) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.N = len(s.calls) + 1
	s.calls = append(s.calls, c)
	if s.outage != nil {
		s.fired = append(s.fired, fmt.Sprintf("%v: outage: %v", c, *s.outage))
		return c, *s.outage, s.hooks
	}
	var fault Fault
	found := false
	for _, r := range s.rules { // each counts its calls, the first one that fires decides
		if !found && r.take(c) {
			fault, found = r.Fault, true
			s.fired = append(s.fired, fmt.Sprintf("%v: %v", c, r.Rule))
		}
	}
	return c, fault, s.hooks
}

// wait stalls a call until its context ends, which is its error, or Release.
func (s *Store) wait(ctx context.Context, c Call) error {
	gate := make(chan struct{})
	s.mu.Lock()
	s.waiting[gate] = c
	s.mu.Unlock()
	select {
	case <-gate:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	delete(s.waiting, gate)
	s.mu.Unlock()
	return &store.Error{
		Op: c.Op, Key: c.Key, Kind: store.ErrTransient, Err: context.Cause(ctx), Unanswered: true,
	}
}
