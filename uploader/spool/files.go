package spool

import (
	"errors"
	"os"
	"slices"
	"sync"
)

// files keeps a bounded number of descriptors open. Those in use stay, whatever their number.
type files struct {
	mu   sync.Mutex
	max  int
	shut bool
	open []*storage // with a descriptor, least recently used first, roughly
}

// create makes st's file at path, which must not exist, and keeps its descriptor, in use until release.
func (fs *files) create(st *storage, path string) error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.shut {
		return ErrClosed
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	st.f = f
	st.inUse = 1
	fs.open = append(fs.open, st)
	fs.shrink()
	return nil
}

// acquire gives st's descriptor until release. The caller holds a reference on st.
func (fs *files) acquire(st *storage) (*os.File, error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.shut {
		return nil, ErrClosed
	}
	if st.f == nil {
		f, err := os.OpenFile(st.path, os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		st.f = f
		fs.open = append(fs.open, st)
	}
	st.inUse++
	fs.shrink()
	return st.f, nil
}

func (fs *files) release(st *storage) {
	fs.mu.Lock()
	st.inUse--
	fs.mu.Unlock()
}

// reopen lets the next use of st open the file that has its name now.
func (fs *files) reopen(st *storage) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if st.f == nil {
		return
	}
	if st.inUse == 0 {
		_ = st.f.Close() // nothing was written to it since its bytes were copied
	} // else the reads under way go on with the old one, which the garbage collector closes
	st.f = nil
	fs.open = slices.DeleteFunc(fs.open, func(o *storage) bool { return o == st })
}

// shrink closes idle descriptors above the limit, a quarter of them at once: the scan is
// paid by many calls.
func (fs *files) shrink() {
	if len(fs.open) <= fs.max {
		return
	}
	excess := len(fs.open) - fs.max + fs.max/4
	kept := fs.open[:0]
	for _, st := range fs.open {
		if excess > 0 && st.inUse == 0 {
			excess--
			// Nothing is lost by a failure here: the bytes are in the page cache, and sync opens the file again.
			_ = st.f.Close()
			st.f = nil
			continue
		}
		kept = append(kept, st)
	}
	clear(fs.open[len(kept):])
	fs.open = kept
}

// forget closes the descriptor of a storage that nobody refers to.
func (fs *files) forget(st *storage) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if st.f == nil {
		return
	}
	_ = st.f.Close() // the file is about to be removed
	st.f = nil
	for i, o := range fs.open {
		if o == st {
			fs.open = append(fs.open[:i], fs.open[i+1:]...)
			return
		}
	}
}

// close closes all descriptors.
func (fs *files) close() error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	var errs []error
	for _, st := range fs.open {
		errs = append(errs, st.f.Close())
		st.f = nil
	}
	fs.open, fs.shut = nil, true
	return errors.Join(errs...)
}
