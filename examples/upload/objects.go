package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// put stores a file. Once its bytes are in the spool no crash loses them: the next put in the same spool uploads what is left of an earlier one,
// too.
func (c *client) put(ctx context.Context, file, path string) error {
	t, err := c.key(path, levels.Put)
	if err != nil {
		return err
	}
	src, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }()
	owner := strings.Join([]string{c.endpoint, c.bucket, c.policy.Identity().ID}, "\n") // a spool is never sent elsewhere
	sp, recovery, err := spool.Open(spool.Config{Dir: filepath.Join(c.spool, "files"), Owner: owner})
	if err != nil {
		return err
	}
	defer func() { _ = sp.Close() }()
	u, err := uploader.New(uploader.Config{Store: c.store, Spool: sp, Recovery: recovery, Levels: prefixes(c.policy)})
	if err != nil {
		return err
	}
	u.Start()
	err = upload(ctx, u, t.Key, src)
	if left, waitErr := u.Wait(ctx, ""); err == nil && (waitErr != nil || left.Ops > 0) {
		err = errors.Join(waitErr, fmt.Errorf("%s: %d uploads are left in %s: the next put goes on with them", path, left.Ops, c.spool))
	}
	done, cancel := context.WithCancel(ctx)
	cancel() // all that could be waited for was
	_, closeErr := u.Close(done)
	if errors.Is(closeErr, context.Canceled) {
		closeErr = nil
	}
	return errors.Join(err, closeErr)
}

// upload writes a file as a program would: what is flushed is safe from a crash, and uploaded once it is released. What could not be read to its
// end is not released, for that would store the half of it: it stays in the spool, where the next run leaves it alone.
func upload(ctx context.Context, u *uploader.Uploader, key string, src io.Reader) error {
	f, err := u.Open(ctx, key, uploader.OpenOptions{Truncate: true})
	if err != nil {
		return err
	}
	buf := make([]byte, 1<<20)
	for off := int64(0); err == nil; {
		var n int
		if n, err = src.Read(buf); n > 0 {
			if _, writeErr := f.WriteAt(ctx, buf[:n], off); writeErr != nil {
				err = writeErr
			}
			off += int64(n)
		}
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	return errors.Join(f.Flush(ctx), f.Release(ctx, true))
}

// prefixes are the levels that may be written, as the uploader knows them: it proves the right before it sends anything.
func prefixes(p *levels.Policy) (all []uploader.Level) {
	for _, l := range p.LevelPrefixes() {
		all = append(all, uploader.Level{
			Prefix: l.Prefix, CanPut: l.Grants.Has(levels.Put), CanGet: l.Grants.Has(levels.Get),
			CanList: l.Grants.Has(levels.List), CanDelete: l.Grants.Has(levels.Delete),
		})
	}
	return all
}

// list prints the objects below a directory, by their paths.
func (c *client) list(ctx context.Context, dir string, out io.Writer) error {
	t, err := c.key(dir, levels.List)
	if err != nil {
		return err
	}
	for page, err := range c.store.List(ctx, t.DirPrefix(), store.ListOptions{}) {
		if err != nil {
			return err
		}
		for _, o := range page.Objects {
			if path, ok := c.policy.PathOf(o.Key); ok {
				if _, err := fmt.Fprintf(out, "%12d  %s\n", o.Size, path); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// get fetches an object into a file: one version of it, whoever writes it meanwhile.
func (c *client) get(ctx context.Context, path, file string) error {
	t, err := c.key(path, levels.Get)
	if err != nil {
		return err
	}
	body, _, err := c.store.Get(ctx, t.Key, store.All, store.Cond{})
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	dst, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, body)
	return errors.Join(err, dst.Close())
}
