package access_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
)

// bucket is a server with rights, and with what servers differ in.
type bucket struct {
	objects map[string]bool
	may     func(want levels.Perm, key string) bool // List: of a prefix

	hides     bool // 403 for what is not there, as Amazon S3 to who may not list everything
	says      bool // which action is refused
	noDigest  bool // it compares no digests
	noCond    bool // and knows no conditions
	putNeeds  bool // If-Match on PUT needs the right to read, too
	failWith  error
	failAfter int // calls that succeed before
	made      int
}

func (b *bucket) call(op, key string, want levels.Perm) error {
	if b.failWith != nil {
		if b.failAfter--; b.failAfter < 0 {
			return &store.Error{Op: op, Key: key, Kind: b.failWith}
		}
	}
	if b.may(want, key) {
		return nil
	}
	names := map[levels.Perm]string{levels.List: "s3:ListBucket", levels.Get: "s3:GetObject", levels.Put: "s3:PutObject", levels.Delete: "s3:DeleteObject"}
	return b.denied(op, key, names[want])
}

func (b *bucket) denied(op, key, action string) error {
	e := &store.Error{Op: op, Key: key, Code: "AccessDenied", Status: 403, Kind: store.ErrPermission}
	if b.says && op != "head" { // its answer has no body
		e.Err = errors.New("User: x is not authorized to perform: " + action + " on resource: y")
	}
	return e
}

func (b *bucket) read(op, key string) error {
	if err := b.call(op, key, levels.Get); err != nil {
		return err
	}
	if b.objects[key] {
		return nil
	}
	if b.hides {
		return b.denied(op, key, "s3:ListBucket")
	}
	return &store.Error{Op: op, Key: key, Code: "NoSuchKey", Status: 404, Kind: store.ErrNotExist}
}

func (b *bucket) Head(_ context.Context, key string, _ store.Cond) (store.Object, error) {
	return store.Object{Key: key}, b.read("head", key)
}

func (b *bucket) Get(_ context.Context, key string, _ store.Range, _ store.Cond) (io.ReadCloser, store.Object, error) {
	return io.NopCloser(strings.NewReader("x")), store.Object{Key: key}, b.read("get", key)
}

func (b *bucket) List(_ context.Context, prefix string, o store.ListOptions) iter.Seq2[store.Page, error] {
	return func(yield func(store.Page, error) bool) {
		if err := b.call("list", prefix, levels.List); err != nil {
			yield(store.Page{}, err)
			return
		}
		var page store.Page
		for _, key := range slices.Sorted(maps.Keys(b.objects)) {
			rest, in := strings.CutPrefix(key, prefix)
			dir, _, deep := strings.Cut(rest, "/")
			switch {
			case !in:
			case o.Delimiter != "" && deep:
				if p := prefix + dir + "/"; !slices.Contains(page.Prefixes, p) {
					page.Prefixes = append(page.Prefixes, p)
				}
			default:
				page.Objects = append(page.Objects, store.Object{Key: key})
			}
		}
		yield(page, nil)
	}
}

func (b *bucket) Put(_ context.Context, key string, _ *io.SectionReader, _ store.Headers, c store.Cond) (store.PutResult, error) {
	if err := b.call("put", key, levels.Put); err != nil {
		return store.PutResult{}, err
	}
	if c.IfNoneMatch && b.objects[key] {
		return store.PutResult{}, &store.Error{Op: "put", Key: key, Kind: store.ErrChanged}
	}
	b.objects[key] = true
	b.made++
	return store.PutResult{}, nil
}

func (b *bucket) ProbePut(_ context.Context, key string, c store.Cond) (bool, error) {
	if err := b.call("put", key, levels.Put); err != nil {
		return false, err
	}
	if c.IfMatch != "" && b.putNeeds && !b.may(levels.Get, key) {
		return false, b.denied("put", key, "s3:GetObject")
	}
	if !b.noDigest || c.IfMatch != "" && !b.noCond {
		return false, nil
	}
	b.objects[key] = true
	b.made++
	return true, nil
}

func (b *bucket) Delete(_ context.Context, key string, c store.Cond) error {
	if err := b.call("delete", key, levels.Delete); err != nil {
		return err
	}
	if !b.objects[key] && c.IfMatch != "" && !b.noCond {
		return &store.Error{Op: "delete", Key: key, Kind: store.ErrChanged}
	}
	delete(b.objects, key)
	return nil
}
