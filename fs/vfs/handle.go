package vfs

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"syscall"

	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/cache"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// Handle is one open file description. Its methods are safe for concurrent
// use; Release ends it.
type Handle struct {
	fs     *FS
	of     *openFile
	flags  uint32
	path   string         // at the open, for messages
	writer *uploader.File // nil = read-only
	stream cache.Stream

	// Where the file stands among those that a program may read next; "" = nobody looks there. Constant.
	dir, name string
	seen      atomic.Bool // that is known of it

	usage usage // of the stored version

	changed  atomic.Bool // it has written something
	resized  atomic.Bool // it was pinned to a version of another size, and Resized has not told yet
	mu       sync.Mutex
	released bool
}

func newHandle(v *FS, of *openFile, path string, flags uint32) *Handle {
	return &Handle{fs: v, of: of, path: path, flags: flags}
}

// Ino is the number of the inode that the handle was opened on.
func (h *Handle) Ino() uint64 { return h.of.ino }

// Gen is the inode's generation.
func (h *Handle) Gen() uint64 { return h.of.gen }

// Readable tells whether the flags allow reads.
func (h *Handle) Readable() bool { return h.flags&syscall.O_ACCMODE != syscall.O_WRONLY }

// Writable tells whether the flags allow writes.
func (h *Handle) Writable() bool {
	return h.writer != nil && h.flags&syscall.O_ACCMODE != syscall.O_RDONLY
}

// Changes tells whether anything may be written by way of the handle, or was emptied when it was opened: whether its
// Flush matters.
func (h *Handle) Changes() bool { return h.writer != nil }

// KeepCache tells whether pages that the kernel has of this inode and generation may
// be used: always, since another version is another generation, and local writes
// go through the kernel.
func (h *Handle) KeepCache() bool { return true }

// ReadAt reads like pread(2): n < len(p) with a nil error means end of file. A
// version that is gone gives ESTALE, unless nobody has got a byte of it yet by this
// inode: then the reader goes on with the newer one.
func (h *Handle) ReadAt(ctx context.Context, p []byte, off int64) (n int, err error) {
	err = h.read(ctx, func(s source) (int, error) {
		n, err = s.read(ctx, h.fs.cache, &h.stream, p, off)
		return n, err
	}, func() {})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// Lend is ReadAt for who only looks at the bytes. Those that lie in the cache are not copied then: p is left alone, and l has the n
// bytes until its Done, which the caller owes. nil = they are in p.
func (h *Handle) Lend(ctx context.Context, p []byte, off int64) (l *cache.Loan, n int, err error) {
	err = h.read(ctx, func(s source) (int, error) {
		l, n, err = s.lend(ctx, h.fs.cache, &h.stream, p, off)
		return n, err
	}, func() {
		if l != nil {
			l.Done()
		}
	})
	if err != nil {
		return nil, 0, err
	}
	return l, n, nil
}

// read reads from where the file's bytes are, by from. What is not of the version that the reader gets is given to drop, and read again.
func (h *Handle) read(ctx context.Context, from func(source) (int, error), drop func()) error {
	if !h.Readable() {
		return fail("read", h.path, syscall.EBADF)
	}
	for tries := 0; ; tries++ {
		s := h.of.source()
		n, err := from(s)
		switch {
		case err == nil, err == io.EOF: //nolint:errorlint // a failure whose cause is an EOF is not the file's end
			if !h.answers(s, n) {
				drop()
				continue
			}
			if n > 0 && s.stored() && !h.seen.Swap(true) {
				h.fs.readSibling(h)
			}
			if s.stored() {
				h.usage.note(nil)
			}
			return nil
		// Bytes in front of a failure are not returned: the kernel takes a short
		// answer for the file's end and would keep zeros behind it.
		case tries > 2 || !h.recover(ctx, s, err):
			if s.stored() {
				h.usage.note(err)
			}
			return h.readError(ctx, err)
		}
	}
}

// answers tells whether the n bytes that s had are still the file's, and notes that they go to the reader.
func (h *Handle) answers(s source, n int) bool {
	switch {
	case s.local != nil && h.of.source().differs(s):
		return false // the uploader may have forgotten the file meanwhile, with its bytes
	case n > 0 && s.stored() && !h.of.returning(s.obj):
		return false // pinned to a newer version meanwhile: what was read is not of it
	case n > 0:
		h.of.served.Store(true)
	}
	return true
}

// recover tells whether a failed read is worth another try: the file's source
// has moved on, or the handles could be pinned to a newer version.
func (h *Handle) recover(ctx context.Context, s source, err error) bool {
	if h.of.source().differs(s) {
		return true
	}
	if !s.stored() || !isVersionGone(err) {
		return false
	}
	path, ok := h.fs.policy.PathOf(h.fs.keyOf(h.of))
	if !ok {
		return false
	}
	n, err := h.fs.refind(ctx, "read", path)
	switch {
	case h.of.source().differs(s): // the news of our own change came meanwhile
		return true
	case err != nil || n.dir || n.link:
		return false
	case n.pending():
		h.fs.localize(h.of, n.target.Key)
		return true
	case versionOf(n.obj) == versionOf(&s.obj):
		return false
	}
	h.fs.foreign(path, &n)
	if !h.of.repin(*n.obj) {
		return false
	}
	if n.obj.Size != s.obj.Size {
		h.resized.Store(true)
	}
	return true
}

// Resized tells, once, that reads go on with a version of another size than the kernel was told.
func (h *Handle) Resized() bool { return h.resized.CompareAndSwap(true, false) }

// now is the path that the file has now, for questions about it; "" once it has none.
func (h *Handle) now() string {
	path, _ := h.fs.policy.PathOf(h.fs.keyOf(h.of))
	return path
}

// readError gives a read's failure its number. A refused read says nothing of
// the file's existence: only a listing without it does, and only of the name that the
// file has now.
func (h *Handle) readError(ctx context.Context, err error) error {
	switch {
	case isVersionGone(err):
		return errors.Join(fail("read", h.path, syscall.ESTALE), err)
	case errors.Is(err, store.ErrPermission):
		if path := h.now(); path != "" {
			if _, err2 := h.fs.refind(ctx, "read", path); isAbsent(err2) {
				return fail("read", path, syscall.ENOENT)
			}
		}
		return fail("read", h.path, syscall.EACCES)
	case errors.Is(err, store.ErrArchived):
		if seen, _ := h.fs.warned.ContainsOrAdd(h.path, struct{}{}); !seen {
			h.fs.log.Warn("object is archived: restore it before it can be read", zap.String("path", h.path))
		}
		return fail("read", h.path, syscall.EIO)
	}
	return wrap("read", h.path, err)
}

// Flush is the close(2) of one descriptor: what was written is safe in the spool
// when it returns.
func (h *Handle) Flush(ctx context.Context) error {
	if h.writer == nil || h.of.source().kept != nil {
		return nil
	}
	return wrap("flush", h.path, h.writer.Flush(ctx))
}

// Fsync has what was written to the file, by any handle, on stable storage.
func (h *Handle) Fsync(ctx context.Context) error {
	if h.of.source().kept != nil {
		return nil // no name: nothing of it survives the last close
	}
	if h.writer != nil {
		return wrap("fsync", h.path, h.writer.Sync(ctx))
	}
	if s := h.of.source(); s.local != nil {
		return wrap("fsync", h.path, s.local.Sync(ctx))
	}
	return nil
}

// Release ends the handle. A second one gives EBADF.
func (h *Handle) Release(ctx context.Context) (err error) {
	h.mu.Lock()
	if h.released {
		h.mu.Unlock()
		return fail("release", h.path, syscall.EBADF)
	}
	h.released = true
	h.mu.Unlock()
	h.fs.cache.Leave(&h.stream)
	if used, err := h.usage.outcome(); used {
		obj := h.of.source().obj
		h.fs.used(Use{Kind: UseRead, Key: obj.Key, Size: obj.Size, Err: err})
	}
	if h.writer != nil {
		if h.of.takeWriter(h.writer) {
			err = wrap("release", h.path, h.writer.Release(ctx, true))
		}
	}
	h.fs.leave(h.of)
	return err
}

// filled notes that the kernel has whole pages of what was written: of parts of a page that it
// had not read before it keeps nothing.
func (h *Handle) filled(off int64, n int) {
	const page = 4096 // the smallest page of any machine
	if first := (off + page - 1) / page; (off+int64(n))/page > first {
		h.of.served.Store(true)
	}
}

// write runs a change of the file's bytes. From the first change on every handle of the file sees the
// uploader's bytes.
func (h *Handle) write(do func(content) error) error {
	h.of.switching.RLock()
	defer h.of.switching.RUnlock()
	if k := h.of.source().kept; k != nil {
		return do(k)
	}
	first := h.changed.CompareAndSwap(false, true)
	key := h.fs.keyOf(h.of)
	h.of.timed.Store(false)
	err := do(h.writer)
	switch {
	case first && key != "":
		h.fs.localize(h.of, key)
	case first:
		h.of.borrow(h.writer)
	}
	return err
}

// Stat is fstat(2): of the version that was opened and the writes on it, also when
// the name is gone.
func (h *Handle) Stat(ctx context.Context) (Attr, error) { return h.fs.openAttr(ctx, h.of, h.path) }
