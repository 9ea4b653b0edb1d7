package hostile

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/tests/rig"
)

// tree is what a mount of a bucket should show: files by path with their keys, and directories by path with their prefixes. What no
// path leads to is hidden.
type tree struct {
	files, dirs map[string]string
	hidden      []string
}

// treeOf computes what a level's directory shows of the bucket.
func treeOf(t *testing.T, bucket map[string]string, prefix string) tree {
	t.Helper()
	policy, err := levels.New(levels.Identity{ID: rig.Identity, Authenticated: true}, levels.Options{})
	if err != nil {
		t.Fatal(err)
	}
	out := tree{files: map[string]string{}, dirs: map[string]string{}}
	for key := range bucket {
		for at := len(prefix); ; at++ {
			next := strings.IndexByte(key[at:], '/')
			if next < 0 {
				break
			}
			at += next
			if path, ok := policy.PathOf(key[:at+1]); ok {
				out.dirs[path] = key[:at+1]
			}
		}
	}
	for key, content := range bucket {
		path, ok := policy.PathOf(key)
		if _, pair := out.dirs[path]; ok && pair && !strings.HasSuffix(key, "/") {
			path = levels.Beside(path)
			ok = len(filepath.Base(path)) <= levels.MaxName
		}
		switch marker := strings.HasSuffix(key, "/"); {
		case !ok || marker && content != "":
			out.hidden = append(out.hidden, key)
		case !marker:
			out.files[path] = key
		}
	}
	return out
}

// shown walks a level's directory of a mount: its files with what they hold, and its directories.
func shown(t *testing.T, m *rig.Mount, level string) (files map[string]string, dirs []string) {
	t.Helper()
	files = map[string]string{}
	err := filepath.WalkDir(filepath.Join(m.Dir, level), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel := strings.TrimPrefix(path, m.Dir+"/")
		if d.IsDir() {
			dirs = append(dirs, rel)
			return nil
		}
		text, err := os.ReadFile(path)
		files[rel] = string(text)
		return err
	})
	if err != nil {
		t.Fatalf("walk of %s: %v\n%s", level, err, m.Log())
	}
	return files, dirs
}

// wantTree compares what a mount shows with the model.
func wantTree(t *testing.T, m *rig.Mount, level string, want tree, bucket map[string]string) (operations int) {
	t.Helper()
	files, dirs := shown(t, m, level)
	wantFiles := map[string]string{}
	for path, key := range want.files {
		wantFiles[path] = bucket[key]
	}
	wantSame(t, "files", wantFiles, files)
	wantDirs, gotDirs := map[string]string{level: ""}, map[string]string{}
	for path := range want.dirs {
		wantDirs[path] = ""
	}
	for _, path := range dirs {
		gotDirs[path] = ""
	}
	wantSame(t, "directories", wantDirs, gotDirs)
	return len(files) + len(dirs)
}

// wantBucket compares the bucket with the model. Markers of directories that hold nothing are left out: a mount makes and removes them.
func wantBucket(t *testing.T, what string, want, got map[string]string) {
	t.Helper()
	real := func(all map[string]string) map[string]string {
		all = maps.Clone(all)
		maps.DeleteFunc(all, func(key, content string) bool { return content == "" && strings.HasSuffix(key, "/") })
		return all
	}
	wantSame(t, what+": the bucket", real(want), real(got))
}

// wantSame names what differs between two maps: a key of a thousand bytes in a table of all is no help.
func wantSame(t *testing.T, what string, want, got map[string]string) {
	t.Helper()
	for key, content := range want {
		if has, ok := got[key]; !ok {
			t.Errorf("%s: lacks %.300q", what, key)
		} else if has != content {
			t.Errorf("%s: %.300q holds %.100q, want %.100q", what, key, has, content)
		}
	}
	for key := range got {
		if _, ok := want[key]; !ok {
			t.Errorf("%s: has %.300q, which it should not", what, key)
		}
	}
}

// numbered gives the paths of a map in order, each with a number of its own.
func numbered(paths map[string]string) (ordered []string, name func(i int) string) {
	ordered = slices.Sorted(maps.Keys(paths))
	return ordered, func(i int) string { return fmt.Sprintf("moved %03d", i) }
}
