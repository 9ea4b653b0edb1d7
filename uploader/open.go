package uploader

import (
	"context"
	"fmt"

	"github.com/s3levelfs/s3levelfs/store"
)

// Open opens a file for writing and counts a write handle, which Release(true)
// gives back. A file that does not exist yet, or is to begin empty, gets
// its generation at once; else the first write makes it. Open waits while the
// key is the target of a move that has not been copied yet.
func (u *Uploader) Open(ctx context.Context, key string, o OpenOptions) (*File, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for {
		if u.closed {
			return nil, ErrClosed
		}
		m := u.moveOnto(key)
		if m == nil || o.Truncate || m != u.fold.queues[key].top() && u.files[key] != nil {
			break
		}
		if err := u.waitChange(ctx); err != nil {
			return nil, fmt.Errorf("open %q: %w", key, err)
		}
	}
	base, err := u.found(key, o.Base)
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", key, err)
	}
	o.Base = base
	f, err := u.fileToWrite(key, o)
	if err != nil {
		return nil, err
	}
	whole := o.Truncate || f.base.State != Present
	if (f.top == nil && whole) || (o.Truncate && f.top.content.Size() > 0) || f.lost {
		if o.Truncate && f.lost {
			f.lost, f.base = false, Base{}
		}
		if err := u.newGeneration(f, whole); err != nil {
			return nil, fmt.Errorf("open %q: %w", key, err)
		}
	}
	f.writers++
	return f, nil
}

// waitChange waits until some operation has ended or failed. Called with mu held; gives
// it up meanwhile.
func (u *Uploader) waitChange(ctx context.Context) error {
	changed := u.changed
	u.mu.Unlock()
	defer u.mu.Lock()
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-u.ctx.Done():
		return ErrClosed
	}
}

// fileToWrite finds or makes the File of a key. Called with mu held.
func (u *Uploader) fileToWrite(key string, o OpenOptions) (*File, error) {
	exists, pending := u.existsIn(key)
	if !pending {
		exists = o.Base.State == Present
	}
	if o.Exclusive && exists {
		return nil, &store.Error{Op: "open", Key: key, Kind: store.ErrExist}
	}
	f := u.files[key]
	if f != nil && !f.gone && f.top == nil && !pending && f.base.State != o.Base.State ||
		f != nil && !pending && o.Base.State == Present && f.base.State == Present && f.base.ETag != o.Base.ETag {
		f.stale = true // a foreign version: old handles keep theirs
		f = nil
	}
	if f != nil {
		return f, nil
	}
	f = &File{u: u, key: key, baseKey: key, base: o.Base, headers: o.Headers.Clone()}
	if pending {
		f.base = Base{State: Absent}
		if top := u.fold.queues[key].top(); exists && top.kind == opAttr {
			f.base = o.Base
		}
	}
	if o.Base.Headers != nil {
		f.headers = o.Base.Headers.Clone()
	}
	u.files[key] = f
	return f, nil
}

// existsIn says what the overlay alone knows of a name. Called with mu held.
func (u *Uploader) existsIn(key string) (exists, pending bool) {
	top := u.fold.queues[key].top()
	if top == nil {
		return false, false
	}
	return top.makes(key), true
}

// File returns the pending or open file of a key and counts a read handle,
// which Release(false) gives back; nil if there is none.
func (u *Uploader) File(key string) *File {
	u.mu.Lock()
	defer u.mu.Unlock()
	f := u.files[key]
	if f == nil || f.stale || f.top == nil {
		return nil
	}
	f.readers++
	return f
}

// Share counts another read handle, which Release(false) gives back.
func (f *File) Share() *File {
	f.u.mu.Lock()
	defer f.u.mu.Unlock()
	f.readers++
	return f
}

// adoptFile makes the File of a generation that the log names. Called with mu held.
func (u *Uploader) adoptFile(g *generation) {
	m := u.fold.moveBefore(g.op)
	replaced := m != nil && g.op.is(flagReplaced)
	f := u.files[g.op.key]
	if replaced {
		f = m.replaced
	}
	if f == nil {
		f = &File{u: u, key: g.op.key, baseKey: g.op.key}
	}
	switch {
	case replaced:
		m.replaced = f
	case m != nil && g.op.is(flagCarried):
		m.carried = f
		fallthrough
	default:
		u.files[f.key] = f
	}
	g.refs++
	u.fold.unref(f.top)
	g.file, f.top, f.headers, f.base = f, g, g.headers.Clone(), g.op.base
}
