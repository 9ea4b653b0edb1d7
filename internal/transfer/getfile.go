package transfer

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/cache"
	"github.com/s3levelfs/s3levelfs/store"
)

// Names of what has arrived of a file, beside it: whose it is, and of which version.
const (
	partialPrefix = ".s3levelfs-"
	partialSuffix = ".part"
)

// GetFile makes the file name below root out of an object. It gets its name when it is whole and verified. An interrupted get leaves
// what has arrived beside it, and the next one of the same version goes on behind that. No symbolic link leads out of root.
func (c *Client) GetFile(ctx context.Context, key string, root *os.Root, name string) (store.Object, error) {
	obj, err := c.store.Head(ctx, key, store.Cond{})
	if err != nil {
		return store.Object{}, err
	}
	return obj, c.getVersion(ctx, obj, root, name)
}

// GetRangeFile is GetFile of a range. What has come of one that is interrupted is not kept.
func (c *Client) GetRangeFile(ctx context.Context, key string, root *os.Root, name string, o GetOptions) (store.Object, error) {
	p := &partial{root: root, name: path.Join(path.Dir(name), partialPrefix+rand.Text()+partialSuffix)}
	var err error
	if p.file, err = root.OpenFile(p.name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666); err != nil {
		return store.Object{}, err
	}
	defer p.close()
	obj, err := c.Get(ctx, key, p.file, o)
	if err == nil {
		err = p.finish(name)
	}
	if err != nil {
		p.drop()
	}
	return obj, err
}

// getVersion makes the file out of one version.
func (c *Client) getVersion(ctx context.Context, obj store.Object, root *os.Root, name string) error {
	part, err := openPartial(root, name, obj.Key, c.versionOf(obj))
	if err != nil {
		return err
	}
	defer part.close()
	if err := c.fill(ctx, obj, part); err != nil {
		if errors.Is(err, ErrChanged) || errors.Is(err, cache.ErrCorrupt) {
			part.drop()
		}
		return err
	}
	return part.finish(name)
}

// versionOf names what has arrived of a version. Where no checksum of the whole is there to tell, that is good for one run of the kernel: of what was
// on its way when the power went a file system may have the length without the bytes.
func (c *Client) versionOf(o store.Object) string {
	version := fmt.Sprint(o.ETag, o.Size, o.LastModified.Unix())
	if cache.NewChecker(o) == nil {
		version += " " + c.cfg.Boot
	}
	return version
}

// readBoot tells the runs of the kernel apart. Source: random(4). Where it can not, each client is one of its own.
func readBoot() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return rand.Text()
	}
	return string(id)
}

// fill gets what is missing. What is there is read for the checksum.
func (c *Client) fill(ctx context.Context, obj store.Object, part *partial) error {
	check := cache.NewChecker(obj)
	have, err := part.file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if have > obj.Size {
		if err := part.file.Truncate(0); err != nil {
			return err
		}
		have = 0
	}
	progress := c.count(obj.Key, obj.Size)
	if have > 0 {
		progress.add(have, 0)
	}
	if have > 0 && check != nil {
		if _, err := io.Copy(check, io.NewSectionReader(part.file, 0, have)); err != nil {
			return err
		}
	}
	return c.fetch(ctx, obj, store.Range{Off: have, Len: obj.Size - have}, check, part.file, progress)
}

// partial is what has arrived of a file. It is locked while one process adds to it.
type partial struct {
	root *os.Root
	name string
	file *os.File
}

// openPartial opens what there is of this version, and removes what there is of others.
func openPartial(root *os.Root, name, key, version string) (*partial, error) {
	hash := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return hex.EncodeToString(sum[:8])
	}
	dir := path.Dir(name)
	mine := partialPrefix + hash(key+"\x00"+path.Base(name)) + "-"
	own := mine + hash(version) + partialSuffix
	entries, err := fs.ReadDir(root.FS(), dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if n := e.Name(); strings.HasPrefix(n, mine) && strings.HasSuffix(n, partialSuffix) && n != own {
			_ = root.Remove(path.Join(dir, n)) // of a version that is gone
		}
	}
	p := &partial{root: root, name: path.Join(dir, own)}
	for {
		if p.file, err = root.OpenFile(p.name, os.O_RDWR|os.O_CREATE|os.O_APPEND|unix.O_NOFOLLOW, 0o666); err != nil {
			return nil, err
		}
		if err := unix.Flock(int(p.file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			_ = p.file.Close()
			if errors.Is(err, unix.EWOULDBLOCK) {
				return nil, fmt.Errorf("%s: the same get of key %q %w: wait for it, or end it", name, key, ErrBusy)
			}
			return nil, err
		}
		if p.isNamed() {
			return p, nil
		}
		_ = p.file.Close() // between our open and our lock who had it has given it the file's own name
	}
}

// isNamed tells whether the file that is open is the one that has the name.
func (p *partial) isNamed() bool {
	own, err := p.file.Stat()
	named, namedErr := p.root.Lstat(p.name)
	return err == nil && namedErr == nil && os.SameFile(own, named)
}

// finish gives the file its name, when its bytes are on the disk.
func (p *partial) finish(name string) error {
	if err := p.file.Sync(); err != nil {
		return err
	}
	return p.root.Rename(p.name, name)
}

func (p *partial) drop() { _ = p.root.Remove(p.name) }

func (p *partial) close() { _ = p.file.Close() }
