package uploader_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// matchWantsGet judges as Amazon S3 does: a write with an ETag as its condition wants the right to read beside that to write.
// Source: S3 user guide, "Enforce conditional writes on Amazon S3 buckets".
type matchWantsGet struct {
	*memstore.Store
}

func (s matchWantsGet) judge(o, key string, c store.Cond) error {
	if c.IfMatch == "" || c.IfMatch == "*" {
		return nil
	}
	return &store.Error{Op: o, Key: key, Code: "AccessDenied", Status: 403, Kind: store.ErrPermission}
}

func (s matchWantsGet) Put(ctx context.Context, key string, body *io.SectionReader, h store.Headers, c store.Cond) (store.PutResult, error) {
	if err := s.judge(op.Put, key, c); err != nil {
		return store.PutResult{}, err
	}
	return s.Store.Put(ctx, key, body, h, c)
}

func (s matchWantsGet) Complete(ctx context.Context, key, id string, parts []store.Part, c store.Cond) (store.PutResult, error) {
	if err := s.judge(op.Complete, key, c); err != nil {
		return store.PutResult{}, err
	}
	return s.Store.Complete(ctx, key, id, parts, c)
}

func (s matchWantsGet) Copy(ctx context.Context, r store.CopyRequest) (store.PutResult, error) {
	if err := s.judge(op.Copy, r.Target, r.Cond); err != nil {
		return store.PutResult{}, err
	}
	return s.Store.Copy(ctx, r)
}

func (s matchWantsGet) Delete(ctx context.Context, key string, c store.Cond) error {
	if err := s.judge(op.Delete, key, c); err != nil {
		return err
	}
	return s.Store.Delete(ctx, key, c)
}

// withoutProbe is a store that has no way to ask for a right.
type withoutProbe struct{ store.Store }

// runWithoutGet is a level that may be written, but not read, on a store that judges so.
func runWithoutGet(t *testing.T, mc memstore.Config, l uploader.Level, wrap func(store.Store) store.Store, test func(*testing.T, *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, mc, func(c *uploader.Config) { c.Levels = []uploader.Level{l} })
		r.stop()
		r.store = wrap(matchWantsGet{r.mem})
		r.open()
		defer func() { r.stop() }()
		test(t, r)
	})
}

func asItIs(s store.Store) store.Store { return s }

// Test_5d_WithoutGet_Probe: where nothing may be read the right to write is asked for without an ETag, a refusal is known at the open,
// and a store that can not be asked leaves it to the first flush.
func Test_5d_WithoutGet_Probe(t *testing.T) {
	denied := memstore.Config{Allow: func(o, _ string) error { return map[string]error{op.Put: errors.New("no")}[o] }}
	for name, c := range map[string]struct {
		mc     memstore.Config
		wrap   func(store.Store) store.Store
		denied bool
		state  string
	}{
		"granted":            {wrap: asItIs, state: "proved"},
		"conditions ignored": {mc: memstore.Config{IgnoreWriteCond: true}, wrap: asItIs, state: "proved"},
		"denied":             {mc: denied, wrap: asItIs, denied: true, state: "denied"},
		"can not be asked":   {mc: denied, wrap: func(s store.Store) store.Store { return withoutProbe{s} }, state: "unproved"},
	} {
		t.Run(name, func(t *testing.T) {
			runWithoutGet(t, c.mc, uploader.Level{Prefix: "uploads/", CanPut: true}, c.wrap, func(t *testing.T, r *rig) {
				err := r.u.Prove(t.Context(), "uploads/")
				if errors.Is(err, store.ErrPermission) != c.denied {
					t.Errorf("prove: %v", err)
				}
				if l := r.u.Status().Levels[0]; l.State != c.state || c.state == "unproved" && l.Err != "" {
					t.Errorf("level %+v", l)
				}
				r.wantBucket(map[string]string{}) // the probe leaves nothing
			})
		})
	}
}

// Test_5d_WithoutGet_NoETagIsSent: with the right to list, too, what is replaced and removed is looked at before, as no
// condition with an ETag is allowed.
func Test_5d_WithoutGet_NoETagIsSent(t *testing.T) {
	l := uploader.Level{Prefix: "drop/", CanPut: true, CanList: true, CanDelete: true}
	runWithoutGet(t, memstore.Config{}, l, asItIs, func(t *testing.T, r *rig) {
		check(t, r.u.Prove(t.Context(), "drop/"))
		for _, text := range []string{"one", "two"} {
			r.put("drop/f", text)
			r.drain()
			r.wantBucket(map[string]string{"drop/f": text})
		}
		check(t, r.u.Remove(t.Context(), "drop/f", r.stored("drop/f"), uploader.RemoveOptions{}))
		r.drain()
		r.wantBucket(map[string]string{})
	})
}
