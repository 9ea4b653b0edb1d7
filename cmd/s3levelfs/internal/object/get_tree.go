package object

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"github.com/urfave/cli/v2"

	"github.com/s3levelfs/s3levelfs/internal/tracking"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
)

// getTree gets all objects below a folder.
func (v *verb) getTree(c *cli.Context) error {
	n, err := parallelOf(c)
	if err != nil {
		return err
	}
	m, err := newMatcher(c)
	if err != nil {
		return err
	}
	dir := cmpOr(c.Args().Get(1), ".")
	if err := os.MkdirAll(dir, 0o777); err != nil { //nolint:gosec // as every program makes directories: the umask decides
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	into := &tree{verb: v, root: root, from: folder(c.Args().First())}
	t, err := each(v, n, v.below(v.ctx, v.area, into.from, m), func(o listedObject) string { return v.name(o.Key) }, func(ctx context.Context, o listedObject) error {
		got, same, file, err := into.getBelow(ctx, o)
		if err != nil || file != "" && !same { // else a directory was made of a marker, or the file was there
			v.track.Track(tracking.Download(got.Size, err))
		}
		if err == nil && c.Bool("json") && file != "" {
			err = v.print(gotten{v.name(o.Key), filepath.Join(dir, file), got.Size, got.ETag, same})
		}
		return err
	})
	if err != nil {
		return err
	}
	return t.result()
}

// getBelow gets one object of a folder; the marker of a directory makes one, which is no file.
func (t *tree) getBelow(ctx context.Context, o listedObject) (got store.Object, same bool, file string, err error) {
	if o.Size == 0 && (o.name == "" || strings.HasSuffix(o.name, "/")) {
		return got, false, "", t.mkdir(ctx, fileName(strings.TrimSuffix(o.name, "/")), o.name)
	}
	file = fileName(o.name)
	for e := range strings.SplitSeq(file, "/") {
		if len(e) > levels.MaxName {
			return got, false, "", fmt.Errorf("an element of the key has %d bytes as a file name, most is %d: get it alone, with a FILE", len(e), levels.MaxName)
		}
	}
	if dir := path.Dir(file); dir != "." {
		if err := t.mkdir(ctx, dir, path.Dir(o.name)); err != nil {
			return got, false, "", err
		}
	}
	if t.isDir(file) {
		file = levels.Beside(file)
	}
	got, same, err = t.client.GetChanged(ctx, o.Key, t.root, file)
	if err != nil && t.isDir(file) { // made meanwhile
		file = levels.Beside(file)
		got, same, err = t.client.GetChanged(ctx, o.Key, t.root, file)
	}
	return got, same, file, err
}

// tree is a directory that a folder is got into.
type tree struct {
	*verb
	root *os.Root
	from string // the folder

	mu sync.Mutex // of what gets directories
}

// fileName is the path of a key's name: each element as the mount shows it, so that none leads anywhere.
func fileName(name string) string {
	if name == "" {
		return "."
	}
	elements := strings.Split(name, "/")
	for i, e := range elements {
		elements[i] = levels.Escape(e)
	}
	return strings.Join(elements, "/")
}

func (t *tree) isDir(name string) bool {
	info, err := t.root.Stat(name)
	return err == nil && info.IsDir()
}

// mkdir makes a directory. A file in its way that is one of the folder's objects gets the mount's name for a file beside a directory.
func (t *tree) mkdir(ctx context.Context, dir, name string) error {
	const perm = 0o777 // the umask decides
	t.mu.Lock()
	defer t.mu.Unlock()
	err := t.root.MkdirAll(dir, perm)
	if err == nil {
		return nil
	}
	at := ""
	for i, e := range strings.Split(dir, "/") {
		at = path.Join(at, e)
		info, statErr := t.root.Lstat(at)
		if statErr != nil || !info.Mode().IsRegular() {
			continue
		}
		key := t.prefix + t.from + strings.Join(strings.Split(name, "/")[:i+1], "/")
		if _, headErr := t.backend.Store.Head(ctx, key, store.Cond{}); headErr != nil {
			return err
		}
		if err := t.root.Rename(at, levels.Beside(at)); err != nil {
			return err
		}
		return t.root.MkdirAll(dir, perm)
	}
	return err
}
