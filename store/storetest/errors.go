package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/op"
)

// call is one method of a store, applied to a key.
type call struct {
	op  string
	run func(ctx context.Context, key string) error
}

// calls are all methods that need nothing but an absent key to be tried.
func (e *env) calls() []call {
	one := store.Part{Number: 1, ETag: otherETag, Size: 1}
	return []call{
		{op.Head, func(ctx context.Context, k string) error {
			_, err := e.s.Head(ctx, k, store.Cond{})
			return err
		}},
		{op.Get, func(ctx context.Context, k string) error {
			body, _, err := e.s.Get(ctx, k, store.All, store.Cond{})
			if err == nil {
				err = errors.Join(errors.New("a body came"), body.Close())
			}
			return err
		}},
		{op.List, func(ctx context.Context, k string) (last error) {
			for _, err := range e.s.List(ctx, k, store.ListOptions{}) {
				if last != nil {
					e.Errorf("a listing goes on behind its error %v", last)
				}
				last = err
			}
			return last
		}},
		{op.Put, func(ctx context.Context, k string) error {
			_, err := e.s.Put(ctx, k, section([]byte("x")), store.Headers{}, store.Cond{})
			return err
		}},
		{op.Copy, func(ctx context.Context, k string) error {
			_, err := e.s.Copy(ctx, store.CopyRequest{Source: k, Target: k + "-copy"})
			return err
		}},
		{op.Delete, func(ctx context.Context, k string) error { return e.s.Delete(ctx, k, store.Cond{}) }},
		{op.DeleteMany, func(ctx context.Context, k string) error {
			_, err := e.s.DeleteMany(ctx, []string{k})
			return err
		}},
		{op.Create, func(ctx context.Context, k string) error {
			_, err := e.s.Create(ctx, k, store.Headers{})
			return err
		}},
		{op.UploadPart, func(ctx context.Context, k string) error {
			_, err := e.s.UploadPart(ctx, k, "no-such-upload", 1, section([]byte("x")))
			return err
		}},
		{op.CopyPart, func(ctx context.Context, k string) error {
			_, err := e.s.CopyPart(ctx, k, "no-such-upload", 1, e.key("source"), "", store.Range{Off: 0, Len: 1})
			return err
		}},
		{op.Complete, func(ctx context.Context, k string) error {
			_, err := e.s.Complete(ctx, k, "no-such-upload", []store.Part{one}, store.Cond{})
			return err
		}},
		{op.Abort, func(ctx context.Context, k string) error { return e.s.Abort(ctx, k, "no-such-upload") }},
	}
}

// testNoMultipart asserts what a store that takes objects whole says to who tries parts all the same.
func testNoMultipart(e *env) {
	e.puts("source", "x")
	for _, c := range e.calls() {
		switch c.op {
		case op.Create, op.UploadPart, op.CopyPart, op.Complete:
			e.wantKind(c.op, c.run(e.Context(), e.key("k")), store.ErrInvalid)
		}
	}
	e.wantAbsent("k")
}

// testErrors asserts the fields of errors of calls on what does not exist.
func testErrors(e *env) {
	e.puts("source", "x")
	want := map[string]error{
		op.Head: e.absent(), op.Get: e.absent(), op.Copy: e.absent(),
	}
	if e.s.Limits().Multipart() {
		want[op.UploadPart], want[op.CopyPart], want[op.Complete] = store.ErrNoUpload, store.ErrNoUpload, store.ErrNoUpload
	}
	for _, c := range e.calls() {
		kind, fails := want[c.op]
		if !fails {
			continue
		}
		err := c.run(e.Context(), e.key("absent"))
		e.wantKind(c.op, err, kind)
		se, ok := errors.AsType[*store.Error](err)
		if !ok {
			continue
		}
		key := e.key("absent")
		if c.op == op.Copy {
			key += "-copy"
		}
		status := 404
		if errors.Is(kind, store.ErrPermission) {
			status = 403
		}
		if se.Op != c.op || se.Key != key || se.Status != status {
			e.Errorf("%s: op %q, key %q, status %d", c.op, se.Op, se.Key, se.Status)
		}
		if se.Code == "" || (se.RequestID == "") != e.f.NoRequestIDs {
			e.Errorf("%s: code %q, request id %q", c.op, se.Code, se.RequestID)
		}
	}
	if err := e.s.Abort(e.Context(), e.key("absent"), "no-such-upload"); err != nil {
		e.Errorf("abort of an upload that does not exist: %v", err)
	}
}

// testEndedContext asserts that no call does anything once its context has ended.
func testEndedContext(e *env) {
	e.puts("there", "x")
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(e.Context())
	cancel(cause)
	for _, c := range e.calls() {
		err := c.run(ctx, e.key("there"))
		if !errors.Is(err, context.Canceled) && !errors.Is(err, cause) {
			e.Errorf("%s: %v", c.op, err)
			continue
		}
		if _, ok := errors.AsType[*store.Error](err); !ok {
			e.Errorf("%s: error is a %T", c.op, err)
		}
		if store.Unanswered(err) {
			e.Errorf("%s: was never sent, but is unanswered", c.op)
		}
	}
	e.wantString("there", "x")
	e.wantAbsent("there-copy")
}

func testContextEndsInBody(e *env) {
	e.put("big", pattern(16<<20, 10), store.Headers{})
	ctx, cancel := context.WithCancel(e.Context())
	body, _, err := e.s.Get(ctx, e.key("big"), store.All, store.Cond{})
	if err != nil {
		cancel()
		e.Fatal(err)
	}
	_, err = io.ReadFull(body, make([]byte, 100))
	if err != nil {
		e.Errorf("first bytes: %v", err)
	}
	cancel()
	if _, err = io.Copy(io.Discard, body); err == nil {
		e.Error("a body whose context has ended came to its end")
	} else if _, ok := errors.AsType[*store.Error](err); !ok {
		e.Errorf("error is a %T: %v", err, err)
	}
	if err := body.Close(); err != nil {
		e.Errorf("close: %v", err)
	}
	// A body may be closed unread.
	body, _, err = e.s.Get(e.Context(), e.key("big"), store.All, store.Cond{})
	if err != nil {
		e.Fatal(err)
	}
	if err := body.Close(); err != nil {
		e.Errorf("close of an unread body: %v", err)
	}
}

func testConcurrent(e *env) {
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			name := fmt.Sprintf("k%d", w)
			for i := range 8 {
				data := pattern(int64(i*1000+w), byte(w))
				e.put2(name, data)
				e.wantObject(name, data)
				if _, err := e.s.Copy(e.Context(), store.CopyRequest{Source: e.key(name), Target: e.key(name + "c")}); err != nil {
					e.Errorf("copy: %v", err)
				}
				e.wantObject(name+"c", data)
				for _, err := range e.s.List(e.Context(), e.prefix, store.ListOptions{PageSize: 3}) {
					if err != nil {
						e.Errorf("list: %v", err)
					}
				}
			}
			if err := e.s.Delete(e.Context(), e.key(name), store.Cond{}); err != nil {
				e.Errorf("delete: %v", err)
			}
		})
	}
	wg.Wait()
	if _, keys, _ := e.listing("", store.ListOptions{}); len(keys) != 8 {
		e.Errorf("left are %q", keys)
	}
}

// put2 is put for goroutines, which must not end the test.
func (e *env) put2(name string, data []byte) {
	if _, err := e.s.Put(e.Context(), e.key(name), section(data), store.Headers{}, store.Cond{}); err != nil {
		e.Errorf("put %q: %v", name, err)
	}
}

func testConcurrentConditions(e *env) {
	for round := range 5 {
		key := e.key(fmt.Sprintf("k%d", round))
		errs := make([]error, 8)
		var wg sync.WaitGroup
		for w := range errs {
			wg.Go(func() {
				_, errs[w] = e.s.Put(e.Context(), key, section(pattern(100, byte(w))), store.Headers{}, store.Cond{IfNoneMatch: true})
			})
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
				continue
			}
			e.wantKind("put that lost", err, store.ErrChanged)
		}
		if won == 0 || (won > 1 && !e.f.RacyConditions) {
			e.Errorf("%d of %d concurrent puts if absent won", won, len(errs))
		}
	}
}
