package files

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/store"
)

// Put implements [store.Provider].
func (f *Files) Put(ctx context.Context, key string, body *io.SectionReader, h store.Headers) (store.PutResult, error) {
	return f.PutIf(ctx, key, body, h, store.Cond{})
}

// PutIf implements [store.Conditional].
func (f *Files) PutIf(_ context.Context, key string, body *io.SectionReader, h store.Headers, c store.Cond) (res store.PutResult, err error) {
	name, err := nameOf(key)
	if err != nil {
		return res, err
	}
	n := note{ETag: `"` + rand.Text() + `"`, Headers: h}
	if strings.HasSuffix(key, "/") {
		if body.Size() > 0 {
			return res, fmt.Errorf("key %q is a directory's, which has no bytes: %w", key, store.ErrInvalid)
		}
		n.Mtime = time.Now()
		err = f.locked(func() error { return f.mark(key, name, n, c) })
		return store.PutResult{ETag: n.ETag, LastModified: n.Mtime}, err
	}
	temp, err := f.write(body, &n)
	if err != nil {
		return res, err
	}
	err = f.locked(func() error {
		if err := f.judge(key, c); err != nil {
			return err
		}
		if err := f.parents(name); err != nil {
			return err
		}
		if info, err := f.root.Lstat(name); err == nil && info.IsDir() {
			return fmt.Errorf("key %q: there are objects below it: %w", key, store.ErrInvalid)
		}
		return told(f.root.Rename(temp, name))
	})
	if err != nil {
		return res, errors.Join(err, f.root.Remove(temp))
	}
	return store.PutResult{ETag: n.ETag, LastModified: n.Mtime}, nil
}

// write makes a file without a name of an object's, and completes its note.
func (f *Files) write(body *io.SectionReader, n *note) (temp string, err error) {
	temp = tempDir + "/" + rand.Text()
	file, err := f.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	defer func() {
		if err = errors.Join(err, file.Close()); err != nil {
			err = errors.Join(err, f.root.Remove(temp))
		}
	}()
	if _, err := io.Copy(file, body); err != nil {
		return "", err
	}
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	n.Size, n.Mtime = info.Size(), info.ModTime()
	return temp, writeNote(file, *n)
}

// mark makes a directory an object of its own. The lock is held.
func (f *Files) mark(key, name string, n note, c store.Cond) error {
	if err := f.judge(key, c); err != nil {
		return err
	}
	if err := f.parents(name + "/x"); err != nil {
		return err
	}
	dir, err := f.root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(writeNote(dir, n), dir.Close())
}

// parents makes the directories that a file lies in. The lock is held.
func (f *Files) parents(name string) error {
	err := f.root.MkdirAll(path.Dir(name), 0o700)
	if errors.Is(err, unix.ENOTDIR) || errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s: an object is in its way: %w", name, store.ErrInvalid)
	}
	return told(err)
}

// judge says whether a condition holds. The lock is held.
func (f *Files) judge(key string, c store.Cond) error {
	if c == (store.Cond{}) {
		return nil
	}
	now, err := f.Head(context.Background(), key)
	switch absent := errors.Is(err, fs.ErrNotExist); {
	case absent && c.IfNoneMatch:
		return nil
	case err != nil: // that of an absent key, too
		return err
	case c.IfNoneMatch, now.ETag != c.IfMatch:
		return fmt.Errorf("key %q is %s now: %w", key, now.ETag, store.ErrChanged)
	}
	return nil
}

// Remove implements [store.Provider].
func (f *Files) Remove(ctx context.Context, key string) error {
	return f.RemoveIf(ctx, key, store.Cond{})
}

// RemoveIf implements [store.Conditional].
func (f *Files) RemoveIf(_ context.Context, key string, c store.Cond) error {
	name, err := nameOf(key)
	if err != nil {
		return err
	}
	return f.locked(func() error {
		if err := f.judge(key, c); err != nil {
			return err
		}
		err := f.remove(key, name)
		if err == nil {
			f.prune(path.Dir(name))
		}
		return err
	})
}

// remove takes away an object; an absent one is no error. The lock is held.
func (f *Files) remove(key, name string) error {
	file, _, err := f.open(key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !strings.HasSuffix(key, "/"):
		return errors.Join(f.root.Remove(name), file.Close())
	}
	if err = unix.Fremovexattr(int(file.Fd()), attr); err == nil {
		f.prune(name)
	}
	return errors.Join(err, file.Close())
}

// prune removes directories, from the lowest up, that nothing is in and that are no objects. The lock is held.
func (f *Files) prune(name string) {
	for ; name != dataDir; name = path.Dir(name) {
		dir, err := f.root.Open(name)
		if err != nil {
			return
		}
		_, marked, err := readNote(dir)
		_ = dir.Close()
		if err != nil || marked || f.root.Remove(name) != nil { // one that is not empty stays
			return
		}
	}
}
