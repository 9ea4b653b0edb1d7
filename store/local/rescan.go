//go:build !nolocal

package local

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
)

const (
	rescanWait = 4 * time.Second // of the start; a longer scan goes on beside the service
	etagAttr   = "etag"          // versitygw's, with quotes
	statSuffix = `-0"`           // marks an ETag made here: not an MD5, no parts
)

// rescan gives ETags to files that were put into the bucket's directory by hand.
// Without one an object can be neither pinned nor overwritten with a condition.
// The ETag is made of inode, size and mtime: nothing is read, and a file that was
// changed by hand since the last start gets a new one. (Objects that were written
// through the server and then changed by hand in place keep theirs.)
func rescan(ctx context.Context, storer meta.MetadataStorer, bucket string) {
	done := make(chan struct{})
	go func() { // ends with ctx; the process does not wait for it
		defer close(done)
		if err := scan(ctx, storer, bucket); err != nil && ctx.Err() == nil {
			fmt.Fprintln(os.Stderr, "rescan:", err)
		}
	}()
	select {
	case <-done:
	case <-time.After(rescanWait):
	}
}

func scan(ctx context.Context, storer meta.MetadataStorer, bucket string) error {
	return filepath.WalkDir(bucket, func(path string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "rescan:", err)
			return nil // said; one unreadable directory does not hide the others
		}
		if d.IsDir() && filepath.Dir(path) == bucket && d.Name() == posix.MetaTmpDir {
			return fs.SkipDir
		}
		if !d.Type().IsRegular() {
			return nil
		}
		if err := tag(storer, bucket, strings.TrimPrefix(path, bucket+"/"), d); err != nil && !errors.Is(err, fs.ErrNotExist) {
			fmt.Fprintln(os.Stderr, "rescan:", path, err)
		}
		return nil
	})
}

// tag gives one file its ETag if it has none, or one made here that has aged.
func tag(storer meta.MetadataStorer, bucket, key string, d fs.DirEntry) error {
	old, err := storer.RetrieveAttribute(nil, bucket, key, etagAttr)
	switch {
	case err == nil && len(old) > 0 && !strings.HasSuffix(string(old), statSuffix):
		return nil
	case err != nil && !errors.Is(err, meta.ErrNoSuchKey):
		return err
	}
	fi, err := d.Info()
	if err != nil {
		return err
	}
	etag := statETag(fi)
	if etag == string(old) {
		return nil
	}
	return storer.StoreAttribute(nil, bucket, key, etagAttr, []byte(etag))
}

func statETag(fi fs.FileInfo) string {
	var ino uint64
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		ino = st.Ino
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %d %d", ino, fi.Size(), fi.ModTime().UnixNano()))
	return fmt.Sprintf(`"%x%s`, sum[:16], statSuffix)
}
