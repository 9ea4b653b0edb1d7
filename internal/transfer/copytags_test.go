package transfer_test

import (
	"context"
	"errors"
	"testing"

	"github.com/s3levelfs/s3levelfs/internal/transfer"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/op"
)

// TestCopyWithoutTheRightToTags: an object with tags is copied without them, however the copy is made, with all its other headers; and that is said
// once for all copies of a run.
func TestCopyWithoutTheRightToTags(t *testing.T) {
	for name, cfg := range cells() {
		cfg.DenyTags = true
		mem := memstore.New(cfg)
		var said []string
		c := transfer.New(mem, transfer.Config{PartSize: partSize, Notice: func(text string) { said = append(said, text) }})
		for i, n := range []int{0, 5, 3*partSize + 1} {
			data := noise(n)
			mem.PutRaw("from", memstore.Raw{Data: data, Headers: headers()})
			to := string(rune('a' + i))
			if _, err := c.Copy(t.Context(), "from", to, store.Cond{IfNoneMatch: true}); err != nil {
				t.Fatalf("%s, %d bytes: %v", name, n, err)
			}
			want(t, mem, to, data)
			got, _ := mem.Object(to)
			delete(got.Headers.Metadata, "s3levelfs-w")
			bare := headers()
			bare.Tags = ""
			if !got.Headers.Equal(bare) {
				t.Errorf("%s, %d bytes: %+v", name, n, got.Headers)
			}
		}
		if len(said) != 1 {
			t.Errorf("%s: said %q", name, said)
		}
	}
}

// TestCopyWhoseTagsCanNotBeSet: who may read tags and not write them gets a copy without them, whatever makes it.
func TestCopyWhoseTagsCanNotBeSet(t *testing.T) {
	for name, cfg := range cells() {
		for _, n := range []int{0, 5, 3*partSize + 1} {
			mem, data, said := memstore.New(cfg), noise(n), 0
			mem.PutRaw("from", memstore.Raw{Data: data, Headers: headers()})
			f := faultstore.New(mem,
				faultstore.Rule{Op: op.Copy, Fault: faultstore.Denied()}, faultstore.Rule{Op: op.Create, Fault: faultstore.Denied()},
				faultstore.Rule{Op: op.Put, Fault: faultstore.Denied()})
			c := transfer.New(f, transfer.Config{PartSize: partSize, Notice: func(string) { said++ }})
			if _, err := c.Copy(t.Context(), "from", "to", store.Cond{IfNoneMatch: true}); err != nil {
				t.Fatalf("%s, %d bytes: %v", name, n, err)
			}
			want(t, mem, "to", data)
			if got, _ := mem.Object("to"); got.Headers.Tags != "" || got.Headers.CacheControl != "no-cache" || said != 1 {
				t.Errorf("%s, %d bytes: said %d times: %+v", name, n, said, got.Headers)
			}
		}
	}
}

// TestCopyThatIsDenied: what is denied with and without tags is denied, nothing is said of tags, and no upload is left.
func TestCopyThatIsDenied(t *testing.T) {
	for name, cfg := range cells() {
		for _, n := range []int{0, 5, 3*partSize + 1} {
			mem, said := memstore.New(cfg), 0
			mem.PutRaw("from", memstore.Raw{Data: noise(n), Headers: headers()})
			f := faultstore.New(mem, faultstore.Rule{Op: faultstore.AnyWrite, Count: faultstore.Forever, Fault: faultstore.Denied()})
			c := transfer.New(f, transfer.Config{PartSize: partSize, Notice: func(string) { said++ }})
			if _, err := c.Copy(t.Context(), "from", "to", store.Cond{IfNoneMatch: true}); !errors.Is(err, store.ErrPermission) || said != 0 {
				t.Errorf("%s, %d bytes: %v, said %d times", name, n, err, said)
			}
		}
	}
}

// TestCopyOfKnownHeadersAsksOnce: what a copy would lose is known from the one HEAD.
func TestCopyOfKnownHeadersAsksOnce(t *testing.T) {
	mem := memstore.New(memstore.Config{})
	mem.PutRaw("from", memstore.Raw{Data: noise(5), Headers: headers()})
	known := &knowing{Store: mem}
	if _, err := transfer.New(known, transfer.Config{}).Copy(t.Context(), "from", "to", store.Cond{}); err != nil {
		t.Fatal(err)
	}
	if known.last.Known == nil || known.last.Known.StorageClass != "STANDARD_IA" || mem.Counts()[op.Head] != 1 {
		t.Errorf("%+v, %v", known.last, mem.Counts())
	}
}

// knowing is a store that keeps the last copy that it was asked for.
type knowing struct {
	*memstore.Store
	last store.CopyRequest
}

func (k *knowing) Copy(ctx context.Context, r store.CopyRequest) (store.PutResult, error) {
	k.last = r
	return k.Store.Copy(ctx, r)
}

// TestMoveKeepsWhoseTagsItMayNotCopy: a move never loses tags: without the right to them nothing is moved, whether they may not be read or not be
// written, unless that is asked for.
func TestMoveKeepsWhoseTagsItMayNotCopy(t *testing.T) {
	denied := func() []faultstore.Rule {
		return []faultstore.Rule{
			{Op: op.Copy, Fault: faultstore.Denied()}, {Op: op.Create, Fault: faultstore.Denied()}, {Op: op.Put, Fault: faultstore.Denied()},
		}
	}
	for name, cfg := range cells() {
		for _, read := range []bool{false, true} {
			cfg.DenyTags = !read
			for _, n := range []int{0, 5, 3*partSize + 1} {
				mem, data, said := memstore.New(cfg), noise(n), 0
				mem.PutRaw("from", memstore.Raw{Data: data, Headers: headers()})
				move := func(drop bool) error {
					s := store.Store(mem)
					if read {
						s = faultstore.New(mem, denied()...)
					}
					c := transfer.New(s, transfer.Config{PartSize: partSize, DropTags: drop, Notice: func(string) { said++ }})
					_, err := c.Move(t.Context(), "from", "to", store.Cond{IfNoneMatch: true})
					return err
				}
				err := move(false)
				if !errors.Is(err, transfer.ErrTags) || !errors.Is(err, store.ErrPermission) || said != 0 || len(mem.Uploads()) != 0 {
					t.Errorf("%s, %d bytes: %v, said %d times, uploads %v", name, n, err, said, mem.Uploads())
				}
				if got, ok := mem.Object("from"); !ok || !got.Headers.Equal(headers()) || len(mem.Keys()) != 1 {
					t.Errorf("%s, %d bytes: %+v, %q", name, n, got.Headers, mem.Keys())
				}
				if err := move(true); err != nil || said != 1 || len(mem.Keys()) != 1 {
					t.Errorf("%s, %d bytes, without tags: %v, said %d times, %q", name, n, err, said, mem.Keys())
				}
				want(t, mem, "to", data)
			}
		}
	}
}

// TestMoveOfHiddenTagsSendsNothing: where a HEAD has told of tags that may not be read, what is made by parts is not begun.
func TestMoveOfHiddenTagsSendsNothing(t *testing.T) {
	mem := memstore.New(memstore.Config{IgnoreCopyCond: true, MinPart: 1, DenyTags: true})
	mem.PutRaw("from", memstore.Raw{Data: noise(3 * partSize), Headers: headers()})
	c := transfer.New(mem, transfer.Config{PartSize: partSize})
	if _, err := c.Move(t.Context(), "from", "to", store.Cond{IfNoneMatch: true}); !errors.Is(err, transfer.ErrTags) || mem.Counts()[op.Create] != 0 {
		t.Errorf("%v, %v", err, mem.Counts())
	}
}
