package s3store

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/s3levelfs/s3levelfs/store"
)

// call is one call of a [Store] from its begin to its end.
type call struct {
	store  *Store
	op     string
	key    string
	start  time.Time
	limits limits
	write  bool

	// parent is the caller's context: its end is told from our own deadline's.
	parent context.Context
	cancel context.CancelFunc
	total  *time.Timer // ends a read that has no answer; nil for a change
	sent   atomic.Bool // a connection was had: the request may have reached the store
}

type callKey struct{}

// callOf finds the call that an HTTP request belongs to.
func callOf(ctx context.Context) *call {
	c, ok := ctx.Value(callKey{}).(*call)
	if !ok {
		panic("s3store: a request outside of a call")
	}
	return c
}

// read begins a call that is retried and must have its answer within ReadTotal.
// bodyStall is the patience with a body that the caller reads.
func (s *Store) read(ctx context.Context, op, key string, bodyStall time.Duration) (context.Context, *call) {
	c := &call{
		store: s, op: op, key: key, parent: ctx, start: time.Now(),
		limits: limits{header: s.timeouts.ReadHeader, stall: bodyStall},
	}
	ctx, cancel := context.WithCancelCause(context.WithValue(ctx, callKey{}, c))
	c.total = time.AfterFunc(s.timeouts.ReadTotal, func() { cancel(errStalled) })
	c.cancel = func() { cancel(nil) }
	return ctx, c
}

// change begins a call that is sent once.
func (s *Store) change(ctx context.Context, op, key string, answer time.Duration) (context.Context, *call) {
	c := &call{
		store: s, op: op, key: key, parent: ctx, start: time.Now(), write: true,
		limits: limits{header: answer, stall: s.timeouts.WriteStall},
	}
	ctx, c.cancel = context.WithCancel(context.WithValue(ctx, callKey{}, c))
	return ctx, c
}

// options are those of one SDK operation within the call.
func (c *call) options(more ...func(*s3.Options)) []func(*s3.Options) {
	return append(more, func(o *s3.Options) {
		if c.write {
			o.Retryer = &retryer{attempts: 1}
		} else {
			o.Retryer = &retryer{attempts: c.store.attempts, slowed: func() { store.TellSlowDown(c.parent) }}
		}
	})
}

// end maps err and tells the observer. Each call ends exactly once.
func (c *call) end(bytes int64, err error) error {
	if c.total != nil {
		c.total.Stop()
	}
	c.cancel()
	var mapped error
	if err != nil {
		mapped = c.fail(err)
	}
	if c.store.observe != nil {
		c.store.observe(c.op, time.Since(c.start), bytes, mapped)
	}
	return mapped
}
