package files

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/store"
)

const (
	dataDir = "data"
	tempDir = "tmp"
	attr    = "user.s3levelfs-files"
	maxAttr = 64 << 10 // bytes. Source: xattr(7), XATTR_SIZE_MAX
)

// note is what a file's attribute says of the object. It counts while size and mtime are the file's.
type note struct {
	ETag    string        `json:"etag"`
	Size    int64         `json:"size"`
	Mtime   time.Time     `json:"mtime"` // of a marker, whose directory changes, when it was made
	Headers store.Headers `json:"headers"`
}

// nameOf is the file of a key, relative to ROOT.
func nameOf(key string) (string, error) {
	path := strings.TrimSuffix(key, "/")
	if !fs.ValidPath(path) || path == "." || strings.ContainsRune(path, 0) {
		if !invalidAsUTF8Only(path) {
			return "", fmt.Errorf("key %q is no path of a file: %w", key, store.ErrInvalid)
		}
	}
	return dataDir + "/" + path, nil
}

// invalidAsUTF8Only: a file's name may have any bytes, which fs.ValidPath does not allow.
func invalidAsUTF8Only(path string) bool {
	clean := strings.ToValidUTF8(path, "x")
	return clean != path && fs.ValidPath(clean) && !strings.ContainsRune(path, 0)
}

// describe says which version an open file or directory is.
func describe(f *os.File, key string) (o store.Object, err error) {
	info, err := f.Stat()
	if err != nil {
		return o, err
	}
	marker := strings.HasSuffix(key, "/")
	n, noted, err := readNote(f)
	switch {
	case err != nil:
		return o, err
	case marker != info.IsDir(), marker && !noted:
		return o, fs.ErrNotExist // an object of the other kind, or a directory that only holds others
	case !info.IsDir() && !info.Mode().IsRegular():
		return o, fmt.Errorf("%q is no regular file: %w", key, store.ErrInvalid)
	case marker:
		return store.Object{ETag: n.ETag, LastModified: n.Mtime, Headers: &n.Headers}, nil
	}
	o = store.Object{Size: info.Size(), LastModified: info.ModTime(), ETag: n.ETag, Headers: &n.Headers}
	if !noted || n.Size != info.Size() || !n.Mtime.Equal(info.ModTime()) {
		o.ETag = fmt.Sprintf(`"%x-%x"`, info.Size(), info.ModTime().UnixNano()) // another program has written it
	}
	return o, nil
}

// readNote reads a file's attribute; ok is false where there is none.
func readNote(f *os.File) (n note, ok bool, err error) {
	text := make([]byte, maxAttr)
	size, err := unix.Fgetxattr(int(f.Fd()), attr, text)
	switch {
	case errors.Is(err, unix.ENODATA):
		return n, false, nil
	case err != nil:
		return n, false, os.NewSyscallError("fgetxattr", err)
	}
	if err := json.Unmarshal(text[:size], &n); err != nil {
		return n, false, fmt.Errorf("attribute %s of %s: %w", attr, f.Name(), err)
	}
	return n, true, nil
}

func writeNote(f *os.File, n note) error {
	text, err := json.Marshal(n)
	if err != nil {
		return err
	}
	if err := unix.Fsetxattr(int(f.Fd()), attr, text, 0); err != nil {
		return os.NewSyscallError("fsetxattr", err)
	}
	return nil
}

// open opens the file of a key and says which version it is.
func (f *Files) open(key string) (*os.File, store.Object, error) {
	name, err := nameOf(key)
	if err != nil {
		return nil, store.Object{}, err
	}
	file, err := f.root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0) // a pipe must not be waited for
	if err != nil {
		return nil, store.Object{}, told(err)
	}
	o, err := describe(file, key)
	if err != nil {
		return nil, store.Object{}, errors.Join(told(err), file.Close())
	}
	return file, o, nil
}

// told makes a system's error one that says what is wrong with the request: the rest may pass.
func told(err error) error {
	switch {
	case errors.Is(err, unix.ENOTDIR):
		return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	case errors.Is(err, unix.ENAMETOOLONG):
		return fmt.Errorf("%w: %w", store.ErrInvalid, err)
	}
	return err
}

// Head implements [store.Describer].
func (f *Files) Head(_ context.Context, key string) (store.Object, error) {
	file, o, err := f.open(key)
	if err != nil {
		return o, err
	}
	return o, file.Close()
}

// Get implements [store.Provider]. The body is of the version that is described: a writer puts another file in its place.
func (f *Files) Get(_ context.Context, key string, r store.Range) (io.ReadCloser, store.Object, error) {
	file, o, err := f.open(key)
	if err != nil {
		return nil, o, err
	}
	n := o.Size - min(r.Off, o.Size)
	if r.Len >= 0 {
		n = min(n, r.Len)
	}
	return body{io.NewSectionReader(file, r.Off, n), file}, o, nil
}

// body is a range of an open file.
type body struct {
	io.Reader
	io.Closer
}
