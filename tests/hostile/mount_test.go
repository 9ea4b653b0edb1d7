package hostile

import (
	"errors"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/memstore/memhttp"
	"github.com/s3levelfs/s3levelfs/tests/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

// bucket is where the keys are, and a mount of it.
type bucket struct {
	*rig.Mount
	env      []string                 // by which commands find it
	contents func() map[string]string // of the whole bucket, by key
	ops      int                      // that were done and compared
}

// level is a directory of the mount and the prefix of its keys.
type level struct{ name, dir, prefix string }

func mountLevels() []level {
	return []level{
		{"public", "public", "public/"},
		{"private", "private", "private/" + rig.Identity + "/"},
		{"protected", "protected/" + rig.Identity, "protected/" + rig.Identity + "/"},
	}
}

// memBucket is a bucket that takes any key, served over HTTP.
func memBucket(t *testing.T, keys map[string]string) *bucket {
	t.Helper()
	mem := memstore.New(memstore.Config{})
	for key, content := range keys {
		mem.PutString(key, content)
	}
	server := httptest.NewServer(memhttp.Handler(rig.Bucket, mem))
	t.Cleanup(server.Close)
	return newBucket(server.URL, []string{"AWS_ACCESS_KEY_ID=id", "AWS_SECRET_ACCESS_KEY=secret"}, func() map[string]string {
		all := map[string]string{}
		for key, o := range mem.Objects() {
			all[key] = string(o.Data)
		}
		return all
	})
}

func newBucket(endpoint string, credentials []string, contents func() map[string]string) *bucket {
	return &bucket{contents: contents, env: append(credentials,
		"S3LEVELFS_ENDPOINT="+endpoint, "S3LEVELFS_BUCKET="+rig.Bucket, "S3LEVELFS_REGION=us-east-1", "S3LEVELFS_PATH_STYLE=true",
		"S3LEVELFS_IDENTITY_ID="+rig.Identity)}
}

func (b *bucket) mount(t *testing.T) {
	t.Helper()
	b.Mount = rig.MountAt(t, t.TempDir(), b.env, "--metadata-ttl", "0s")
}

func (b *bucket) sync(t *testing.T) {
	t.Helper()
	if _, stderr, code := b.Run(t, "sync", b.Dir); code != 0 {
		t.Fatalf("sync: exit %d: %s\n%s", code, stderr, b.Log())
	}
}

// TestKeysInAMount: 200 hostile keys of a level are listed, read, renamed and removed through a mount.
func TestKeysInAMount(t *testing.T) {
	for i, seed := range []int{fixedSeed, randomSeed(t)} {
		l := mountLevels()[i]
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			keys := drawKeys(t, l.prefix, seed)
			b := memBucket(t, keys)
			b.mount(t)
			b.inAMount(t, l, keys)
		})
	}
}

// inAMount does everything that a mount can do with keys, and compares.
func (b *bucket) inAMount(t *testing.T, l level, keys map[string]string) {
	want := treeOf(t, keys, l.prefix)
	b.ops += wantTree(t, b.Mount, l.dir, want, keys)
	b.wantFacts(t, want)
	keys = b.renameFiles(t, l, want, keys)
	keys = b.renameDirs(t, l, keys)
	b.remove(t, l, keys)
	b.Unmount(t)
	t.Logf("%d keys: %d files, %d directories, %d objects without a path; %d operations were compared",
		len(keys), len(want.files), len(want.dirs), len(want.hidden), b.ops)
}

// wantFacts: each file says which key it is.
func (b *bucket) wantFacts(t *testing.T, want tree) {
	t.Helper()
	for path, key := range want.files {
		b.ops++
		got := make([]byte, levels.MaxKey+1)
		n, err := unix.Getxattr(filepath.Join(b.Dir, path), "user.s3levelfs.key", got)
		if err != nil || string(got[:n]) != key {
			t.Errorf("%q: the key is %q, %v; want %q", path, got[:max(n, 0)], err, key)
		}
	}
}

// renameFiles gives each file a plain name in a new directory, and half of them their own back: what only others can make is refused.
func (b *bucket) renameFiles(t *testing.T, l level, have tree, keys map[string]string) map[string]string {
	t.Helper()
	keys = maps.Clone(keys)
	to := filepath.Join(b.Dir, l.dir, "renamed")
	if err := os.Mkdir(to, 0o700); err != nil {
		t.Fatal(err)
	}
	ordered, name := numbered(have.files)
	for i, path := range ordered {
		b.ops++
		if err := os.Rename(filepath.Join(b.Dir, path), filepath.Join(to, name(i))); err != nil {
			t.Fatalf("rename %q: %v\n%s", path, err, b.Log())
		}
		key := have.files[path]
		keys[l.prefix+"renamed/"+name(i)] = keys[key]
		delete(keys, key)
	}
	b.sync(t)
	wantBucket(t, "after the renames", keys, b.contents())
	for i, path := range ordered {
		if i%2 == 0 {
			continue
		}
		b.ops++
		from, back := l.prefix+"renamed/"+name(i), strings.TrimSuffix(have.files[path], "/")
		parent, err := os.Lstat(filepath.Dir(filepath.Join(b.Dir, path)))
		err2 := os.Rename(filepath.Join(to, name(i)), filepath.Join(b.Dir, path))
		switch foreign := isForeign(t, path); {
		case foreign && err2 == nil:
			t.Errorf("rename to %q, which only others can make: no error", path)
		case foreign:
		case err == nil && parent.IsDir() && err2 != nil:
			t.Errorf("rename back to %q: %v", path, err2)
		case err2 == nil:
			keys[back] = keys[from]
			delete(keys, from)
		}
	}
	b.sync(t)
	wantBucket(t, "after the renames back", keys, b.contents())
	return keys
}

func isForeign(t *testing.T, path string) bool {
	t.Helper()
	policy, err := levels.New(levels.Identity{ID: rig.Identity, Authenticated: true}, levels.Options{})
	if err != nil {
		t.Fatal(err)
	}
	target, err := policy.Resolve(path)
	if err != nil {
		t.Fatal(err)
	}
	return target.Foreign
}

// renameDirs renames each top directory of the level with all that is below it.
func (b *bucket) renameDirs(t *testing.T, l level, keys map[string]string) map[string]string {
	t.Helper()
	have := treeOf(t, keys, l.prefix)
	tops := map[string]string{}
	for path, prefix := range have.dirs {
		if filepath.Dir(path) == l.dir {
			tops[path] = prefix
		}
	}
	ordered, name := numbered(tops)
	for i, path := range ordered {
		b.ops++
		prefix, to := tops[path], l.prefix+"dir "+name(i)+"/"
		err := os.Rename(filepath.Join(b.Dir, path), filepath.Join(b.Dir, l.dir, "dir "+name(i)))
		moved, possible := map[string]string{}, true
		for key, content := range keys {
			if rest, below := strings.CutPrefix(key, prefix); below {
				moved[to+rest] = content
				possible = possible && len(to+rest) <= levels.MaxKey
			}
		}
		switch {
		case err == nil:
			maps.DeleteFunc(keys, func(key, _ string) bool { return strings.HasPrefix(key, prefix) })
			maps.Copy(keys, moved)
		case possible || !errors.Is(err, unix.ENAMETOOLONG):
			t.Errorf("rename of the directory %q: %v\n%s", path, err, b.Log())
		}
	}
	b.sync(t)
	wantBucket(t, "after the renames of directories", keys, b.contents())
	return keys
}

// remove removes all files, then all directories: those with what no path leads to stay.
func (b *bucket) remove(t *testing.T, l level, keys map[string]string) {
	t.Helper()
	keys = maps.Clone(keys)
	have := treeOf(t, keys, l.prefix)
	b.removeEmptied(t, l, have)
	for path, key := range have.files {
		b.ops++
		if err := unix.Unlink(filepath.Join(b.Dir, path)); err != nil {
			t.Errorf("remove %q: %v", path, err)
		}
		delete(keys, key)
	}
	ordered := slices.Sorted(maps.Keys(have.dirs))
	for _, path := range slices.Backward(ordered) {
		b.ops++
		full := slices.ContainsFunc(have.hidden, func(key string) bool { return strings.HasPrefix(key, have.dirs[path]) })
		err := unix.Rmdir(filepath.Join(b.Dir, path))
		if full && !errors.Is(err, unix.ENOTEMPTY) || !full && err != nil {
			t.Errorf("rmdir %q: %v; it holds what no path leads to: %v", path, err, full)
		}
	}
	b.sync(t)
	wantBucket(t, "after the removals", keys, b.contents())
	if left := b.contents(); len(have.hidden) == 0 && len(left) > 0 {
		t.Errorf("left: %q", slices.Collect(maps.Keys(left)))
	}
}

// removeEmptied removes directories that the mount has gone on showing when their last file was renamed: while they are there they have
// the names of files beside them.
func (b *bucket) removeEmptied(t *testing.T, l level, have tree) {
	t.Helper()
	_, dirs := shown(t, b.Mount, l.dir)
	slices.Sort(dirs)
	for _, path := range slices.Backward(dirs) {
		if _, filled := have.dirs[path]; filled || path == l.dir {
			continue
		}
		b.ops++
		if err := unix.Rmdir(filepath.Join(b.Dir, path)); err != nil {
			t.Errorf("rmdir of %q, which has been emptied: %v", path, err)
		}
	}
}
