package vfs

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/s3levelfs/s3levelfs/cache"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// openFile is what the handles of one version of one file share. Its bytes come
// from the first of these that is set:
//
//	kept   an unnamed temporary file: the version was replaced while open
//	local  the uploader: pending, or written to while the handles are open
//	obj    the cache: a stored version, pinned by its ETag
//
// A handle on a stored version moves to local when this mount begins to write
// the same version, and never back: the uploader goes on serving the file, by
// its new version, after the commit.
type openFile struct {
	ino, gen uint64 // constant

	// Guarded by FS.mu: the file's place in the tables.
	key     string // the last one, once nameless
	version string // of obj, as versionOf says; "" once local
	named   bool   // it is FS.open[key]
	born    uint64 // the uploader's operations up to this one were about another file of the name
	handles int

	// appending orders O_APPEND writes: finding the end and writing there. It is
	// taken before mu, and held over one write into the uploader, which is local.
	appending sync.Mutex

	// switching is held for reading by each write, and for writing while the
	// bytes move to a kept file. It is taken before mu.
	switching sync.RWMutex

	// served is the inode generation's: the kernel may have pages of it, from this open file or
	// from an earlier one, so that no handle may be pinned to another version.
	served *atomic.Bool // constant
	timed  atomic.Bool  // utimens came after the last write

	mu      sync.Mutex
	obj     store.Object
	local   *uploader.File // with one read handle of ours counted, or a borrowed write handle
	lent    bool           // local is the write handle of the handles
	owed    int            // so many of those are to be released at the end
	kept    *keptFile
	writers []*uploader.File // the handles' own, each to be released once
	parted  bool             // they have been: the handles write to kept
	carried bool             // renamed here: obj's ETag may be another one soon
	lost    bool             // replaced, and the bytes could not be kept: ESTALE
	hold    func()           // releases the delete that was held back for this file; nil = none
	ended   bool
}

// source is where a read goes, taken under the lock and used without it.
type source struct {
	obj   store.Object
	local *uploader.File
	kept  *keptFile
	lost  bool
}

func (o *openFile) source() source {
	o.mu.Lock()
	defer o.mu.Unlock()
	return source{obj: o.obj, local: o.local, kept: o.kept, lost: o.lost}
}

// view has f look at where the bytes are, and once more when they have been moved meanwhile: the uploader forgets a
// file that nobody holds any more, and shows it empty then.
func (o *openFile) view(f func(source)) {
	for {
		s := o.source()
		f(s)
		if !o.source().differs(s) {
			return
		}
	}
}

// length is the file's size as its handles see it, in bytes.
func (s source) length() int64 {
	switch {
	case s.kept != nil:
		return s.kept.Size()
	case s.local != nil:
		return s.local.Size()
	}
	return s.obj.Size
}

// differs tells whether the bytes come from elsewhere than with old.
func (s source) differs(old source) bool {
	return s.local != old.local || s.kept != old.kept || s.obj.Key != old.obj.Key || versionOf(&s.obj) != versionOf(&old.obj)
}

// stored: the bytes are those of a version in the store.
func (s source) stored() bool { return s.kept == nil && s.local == nil && !s.lost }

// read fills p from off; n < len(p) with io.EOF at the end.
func (s source) read(ctx context.Context, c *cache.Cache, stream *cache.Stream, p []byte, off int64) (int, error) {
	switch {
	case s.kept != nil:
		return s.kept.ReadAt(p, off)
	case s.lost:
		return 0, syscall.ESTALE
	case s.local != nil:
		return s.local.ReadAt(ctx, p, off)
	}
	return c.ReadAt(ctx, s.version(), stream, p, off)
}

// lend is read, or a loan of the cache's in the place of p's bytes.
func (s source) lend(ctx context.Context, c *cache.Cache, stream *cache.Stream, p []byte, off int64) (*cache.Loan, int, error) {
	if s.stored() {
		return c.Lend(ctx, s.version(), stream, p, off)
	}
	n, err := s.read(ctx, c, stream, p, off)
	return nil, n, err
}

// version is the stored version for the cache.
func (s source) version() cache.Object {
	return cache.Object{Key: s.obj.Key, ETag: s.obj.ETag, Size: s.obj.Size, ModTime: s.obj.LastModified}
}

// attach moves the handles to the uploader's file, whose read handle passes
// into the openFile's hands. One that has a file already gives f back.
func (o *openFile) attach(f *uploader.File) {
	o.mu.Lock()
	had := o.local != nil || o.kept != nil || o.lost || o.ended
	if !had {
		o.local = f
	}
	o.mu.Unlock()
	if had {
		_ = f.Release(context.Background(), false) // a read handle has nothing to seal
	}
}

// borrow has all handles of a file without a name see the writes of one: the
// uploader finds no file without a name, so that its write handle is shared.
func (o *openFile) borrow(f *uploader.File) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.local == nil && o.kept == nil && !o.ended {
		o.local, o.lent = f, true
	}
}

// addWriter notes a handle's own write handle.
func (o *openFile) addWriter(f *uploader.File) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.writers = append(o.writers, f)
}

// written tells whether some handle can write the file.
func (o *openFile) written() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.writers) > 0
}

// takeWriter ends a handle's write handle. It reports whether the caller is to release
// it: not if it has been, nor if the other handles still see its file.
func (o *openFile) takeWriter(f *uploader.File) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.parted {
		return false
	}
	if i := slices.Index(o.writers, f); i >= 0 {
		o.writers = slices.Delete(o.writers, i, i+1)
	}
	if o.lent && o.local == f {
		o.owed++
		return false
	}
	return true
}

// repin makes the handles follow obj, a newer version, while nobody has got a byte of the
// old one by way of this inode. A shorter one will not do: the kernel knows the old size, and no answer to a read makes it take a smaller one
// for certain (another answer's attributes may come in between), so that it would show zeros in the place of what is missing.
func (o *openFile) repin(obj store.Object) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.served.Load() || o.local != nil || o.kept != nil || o.lost || obj.Size < o.obj.Size {
		return false
	}
	o.obj, o.carried = obj, false
	return true
}

// returning notes that bytes of obj are about to be returned, after which no newer
// version will do, on this inode. It reports false when the handles follow another one by now.
func (o *openFile) returning(obj store.Object) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.local == nil && o.kept == nil && versionOf(&o.obj) != versionOf(&obj) && !o.carried {
		return false
	}
	o.served.Store(true)
	return true
}

// dropped: the change that carry announced did not come to pass.
func (o *openFile) dropped() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.carried = false
}

// carry notes that the object is being moved to another key, or copied onto itself, by
// this mount: the bytes are the same, the ETag may not be. of is the version that
// moves, nil = the file's own: handles of an older one have nothing to do with it.
func (o *openFile) carry(key string, of *store.Object) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if of != nil && versionOf(of) != versionOf(&o.obj) {
		return
	}
	o.obj.Key, o.carried = key, true
}

// arrived notes that the copy is there: obj has the bytes of the version.
func (o *openFile) arrived(obj store.Object) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.carried && o.obj.Size == obj.Size {
		o.obj, o.carried = obj, false
	}
}

// holdDelete remembers how to let the delete go that waits for this file. One
// that waits already goes on waiting.
func (o *openFile) holdDelete(release func()) {
	o.mu.Lock()
	old := o.hold
	o.hold = release
	if o.ended {
		old, o.hold = release, nil
	}
	o.mu.Unlock()
	if old != nil {
		old()
	}
}

// letGo releases the delete that was held back.
func (o *openFile) letGo() {
	o.mu.Lock()
	hold := o.hold
	o.hold = nil
	o.mu.Unlock()
	if hold != nil {
		hold()
	}
}

// end releases everything, after the last handle.
func (o *openFile) end() {
	o.mu.Lock()
	local, kept, hold := o.local, o.kept, o.hold
	reads, writes := 1, 0
	if o.lent {
		reads, writes = 0, o.owed
	}
	o.local, o.kept, o.hold = nil, nil, nil
	o.lost, o.ended = true, true
	o.mu.Unlock()
	for i := 0; local != nil && i < reads+writes; i++ {
		_ = local.Release(context.Background(), i >= reads) // nothing to seal: a read handle, or no name
	}
	if kept != nil {
		_ = kept.file.Close() // an unnamed temporary file: nothing to lose
	}
	if hold != nil {
		hold()
	}
}
