package uploader

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// The spool by hand: what a person may look at, try again, take out and throw away.

// Errors of the spool by hand, found by errors.Is.
var (
	ErrNotKept   = errors.New("nothing in the spool has this id or key")
	ErrAmbiguous = errors.New("more than one generation has this key: name one by its id")
	ErrOpen      = errors.New("the file is still open: close it first")
	ErrPending   = errors.New("it waits for its upload: only what is never uploaded by itself can be discarded")
)

// Pending lists all that is pending, what has failed first, then by age. It costs a pass over all of it.
func (u *Uploader) Pending() []Item {
	u.mu.Lock()
	defer u.mu.Unlock()
	items := make([]Item, 0, len(u.fold.ops))
	for _, o := range u.fold.ops {
		items = append(items, o.item())
	}
	slices.SortFunc(items, func(a, b Item) int {
		return cmp.Or(-cmp.Compare(min(a.Attempts, 1), min(b.Attempts, 1)), a.Since.Compare(b.Since), cmp.Compare(a.Key, b.Key))
	})
	return items
}

// Kept lists what is never uploaded by itself, by age.
func (u *Uploader) Kept() []Quarantined {
	u.mu.Lock()
	defer u.mu.Unlock()
	kept := make([]Quarantined, 0, len(u.fold.quar))
	for _, q := range u.fold.quar {
		kept = append(kept, *q)
	}
	slices.SortFunc(kept, func(a, b Quarantined) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Gen, b.Gen)) })
	return kept
}

// KeptAt lists what of a key is never uploaded by itself, the newest last.
func (u *Uploader) KeptAt(key string) []Quarantined {
	u.mu.Lock()
	none := len(u.fold.quar) == 0
	u.mu.Unlock()
	if none {
		return nil
	}
	return slices.DeleteFunc(u.Kept(), func(q Quarantined) bool { return q.Key != key })
}

// RetryKeys lets what has failed at keys be tried at once and tells how much that is; a key that ends in "/" stands for all
// below it, none at all for everything. Where something is tried a pause ends, and levels that refuse are asked again.
func (u *Uploader) RetryKeys(keys ...string) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	named := func(key string) bool {
		return len(keys) == 0 || slices.ContainsFunc(keys, func(k string) bool {
			return key == k || strings.HasSuffix(k, "/") && strings.HasPrefix(key, k)
		})
	}
	now, n := time.Now(), 0
	for _, o := range u.fold.ops {
		if o.rounds == 0 || o.running || !named(o.key) && (o.to == "" || !named(o.to)) {
			continue
		}
		n++
		for _, k := range o.keys() {
			if l := u.levelOf(k); l != nil {
				l.nextProbe = now
			}
		}
		u.at(o, now)
	}
	if n > 0 || len(keys) == 0 {
		u.mayEnd(now)
		u.poke()
	}
	return n
}

// Export is a generation of the spool, held so that its bytes can be read until Close.
type Export struct {
	Quarantined
	Pending bool     // it waits for its upload
	Ours    []Extent // what is ours of [0, Size): the rest only the base had
	Data    []Extent // what of that is not zeros

	u       *Uploader
	gen     *generation
	content *spool.Content
}

// Export finds a sealed or quarantined generation by its id, or by its key if only one has that. Errors: ErrNotKept,
// ErrAmbiguous, ErrOpen, spool.ErrDamaged.
func (u *Uploader) Export(idOrKey string) (*Export, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	g, err := u.findKept(idOrKey)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", idOrKey, err)
	}
	e := &Export{u: u, gen: g, content: g.content}
	if q := u.fold.quar[g.id]; q != nil {
		e.Quarantined = *q
	} else {
		e.Quarantined = Quarantined{Gen: g.id, Key: g.op.key, Since: g.op.since}
		e.Pending = true
	}
	if g.content == nil {
		return nil, fmt.Errorf("%q: %w", idOrKey, spool.ErrDamaged)
	}
	e.Size = g.content.Size()
	for _, x := range g.content.Extents() {
		if x.Kind == spool.KindBase {
			continue
		}
		e.Ours = appendExtent(e.Ours, x)
		if x.Kind != spool.KindZero {
			e.Data = appendExtent(e.Data, x)
		}
	}
	g.refs++
	return e, nil
}

func appendExtent(list []Extent, x spool.Extent) []Extent {
	if n := len(list); n > 0 && list[n-1].Off+list[n-1].Len == x.Off {
		list[n-1].Len += x.Len
		return list
	}
	return append(list, Extent{Off: x.Off, Len: x.Len})
}

// findKept finds what Export means. Called with mu held.
func (u *Uploader) findKept(idOrKey string) (*generation, error) {
	kept := func(g *generation) bool { return u.fold.quar[g.id] != nil || g.op != nil }
	g := u.fold.gens[idOrKey]
	if g == nil || !kept(g) {
		g = nil
		for _, x := range u.fold.gens {
			key := ""
			if q := u.fold.quar[x.id]; q != nil {
				key = q.Key
			} else if x.op != nil {
				key = x.op.key
			}
			if key != idOrKey || key == "" {
				continue
			}
			if g != nil {
				return nil, ErrAmbiguous
			}
			g = x
		}
	}
	switch {
	case g == nil:
		return nil, ErrNotKept
	case u.fold.quar[g.id] == nil && !g.op.is(flagSealed):
		return nil, ErrOpen
	}
	return g, nil
}

// ReadAt reads like io.ReaderAt; what is not ours is spool.ErrNoBase.
func (e *Export) ReadAt(p []byte, off int64) (int, error) { return e.content.ReadAt(p, off, nil) }

// WriteTo writes all of the generation, as io.WriterTo: spool.ErrNoBase where parts of it are not ours.
func (e *Export) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, io.NewSectionReader(e, 0, e.Size))
}

// Close lets go of the bytes.
func (e *Export) Close() {
	e.u.mu.Lock()
	defer e.u.mu.Unlock()
	e.u.fold.unref(e.gen)
	e.u.follow()
}

// Discard ends a quarantined generation: its bytes are removed for good. Errors: ErrNotKept, ErrPending.
func (u *Uploader) Discard(id string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	q := u.fold.quar[id]
	if q == nil {
		err := ErrNotKept
		if g := u.fold.gens[id]; g != nil && g.op != nil {
			err = ErrPending
		}
		return fmt.Errorf("%q: %w", id, err)
	}
	return u.commit(&spool.Record{Type: spool.TypeDrop, Gen: id, Key: q.Key})
}

// Leave ends an uploader that was never started: nothing is sent or waited for but the spool's sync, after which the bytes
// of what was discarded are gone.
func (u *Uploader) Leave(ctx context.Context) error {
	now, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := u.Close(now); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return u.spool.Sync(ctx)
}

// Offline is the store of an uploader that is never started: it has limits and nothing else.
func Offline() store.Store { return offline{} }

type offline struct{ store.Store }

// Limits are those of S3: they have no meaning as long as nothing is sent.
func (offline) Limits() store.Limits { return store.S3Limits() }
