package object

import (
	"context"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
)

// tree stores all files below a directory.
func (p *putting) tree(c *cli.Context) error {
	if c.NArg() < 1 || c.NArg() > 2 {
		return usageOf(c)
	}
	n, err := parallelOf(c)
	if err != nil {
		return err
	}
	m, err := newMatcher(c)
	if err != nil {
		return err
	}
	dir, to := c.Args().Get(0), folder(c.Args().Get(1))
	p.compare = p.comparable(p.ctx, to)
	t, err := each(p.verb, n, p.keyed(files(dir, m), to, dir), func(f keyed) string { return fileOf(dir, f.rel) }, func(ctx context.Context, f keyed) error {
		if f.err != nil {
			return f.err
		}
		return p.one(ctx, f.key, fileOf(dir, f.rel))
	})
	if err != nil {
		return err
	}
	return t.result()
}

// comparable tells whether there may be something to compare files with. Of a folder in which there is nothing no object needs to be asked for.
func (p *putting) comparable(ctx context.Context, folder string) bool {
	if !p.grants.Has(levels.Get) {
		return false
	}
	if !p.grants.Has(levels.List) {
		return true
	}
	for page, err := range p.backend.Store.List(ctx, p.prefix+folder, store.ListOptions{PageSize: 1}) {
		return err != nil || len(page.Objects) > 0
	}
	return false
}

// keyBelow is that of a file of a tree: its names become key elements as the mount makes them.
func (p *putting) keyBelow(to, dir, rel string) (string, error) {
	names := strings.Split(filepath.ToSlash(rel), "/")
	elements := make([]string, len(names))
	for i, e := range names {
		u, err := levels.Unescape(e)
		if err != nil {
			return "", fmt.Errorf("the name %q can not be a key: %w", e, err)
		}
		if err := beside(dir, names[:i+1], u, i == len(names)-1); err != nil {
			return "", err
		}
		elements[i] = u
	}
	if p.naming.template != "" {
		above := strings.Join(append(slices.Clone(elements[:len(elements)-1]), ""), "/")
		return p.key(to+above, fileOf(dir, rel))
	}
	return p.verb.key(p.naming.escape(to + strings.Join(elements, "/")))
}

// beside refuses a name that is not its element's own but that of a file beside a directory, where there is no such pair: another file
// has the key. Only a file has such a name, so that nothing is below it.
func beside(dir string, names []string, element string, last bool) error {
	name, own := names[len(names)-1], levels.Escape(element)
	if name == own {
		return nil
	}
	if !last {
		return fmt.Errorf("the directory %q has the name of a file beside a directory, which has nothing below it: give it another name", name)
	}
	pair := fileOf(dir, filepath.Join(append(slices.Clone(names[:len(names)-1]), own)...))
	if info, err := os.Stat(pair); err == nil && !info.IsDir() {
		return fmt.Errorf("the name %q is that of the file %q beside a directory, but %s is a file, which has the key: give one of them another name",
			name, own, cmdline.Printable(pair))
	}
	return nil
}

// fileOf is the path of a file of a tree. One that is called - is not standard input.
func fileOf(dir, rel string) string {
	if file := filepath.Join(dir, rel); file != "-" {
		return file
	}
	return "./-"
}

// files are the regular files below a directory, and what can not be looked at, which fails when it is read, by names relative to it.
func files(dir string, m *matcher) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil && (path == dir || d == nil) || err == nil && d.IsDir() {
				return err
			}
			rel, err := filepath.Rel(dir, path)
			if err != nil {
				return err
			}
			if rel == "." {
				return fmt.Errorf("%s: is no directory: leave -r out", dir)
			}
			if !m.match(filepath.ToSlash(rel)) {
				return nil
			}
			if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
				_, _ = fmt.Fprintf(os.Stderr, "s3levelfs: %s: is no regular file: left out\n", cmdline.Printable(path))
				return nil
			}
			if !yield(rel, nil) {
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			yield("", err)
		}
	}
}

// keyed is a file of a tree and its key, or why it has none.
type keyed struct {
	rel, key string
	err      error
}

// keyed gives the files of a tree keys. Where names are not what keys are made of alone, two files may get one key: of them the first is
// stored, as nobody would find out that the other was lost.
func (p *putting) keyed(rels iter.Seq2[string, error], to, dir string) iter.Seq2[keyed, error] {
	return func(yield func(keyed, error) bool) {
		first := map[string]string{} // the file that has a key
		for rel, err := range rels {
			f := keyed{rel: rel}
			if err == nil {
				f.key, f.err = p.keyBelow(to, dir, rel)
			}
			if f.key != "" && (p.naming.template != "" || p.naming.escapes) {
				if other, taken := first[f.key]; taken {
					f.err = fmt.Errorf("would get the key %q, which is that of %s: give names that differ", p.name(f.key), cmdline.Printable(fileOf(dir, other)))
				} else {
					first[f.key] = rel
				}
			}
			if !yield(f, err) {
				return
			}
		}
	}
}
