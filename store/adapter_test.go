package store_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/storetest"
)

func whole(t *testing.T, p store.Provider) store.Store {
	t.Helper()
	s, err := store.FromProvider(p)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func section(text string) *io.SectionReader {
	return io.NewSectionReader(strings.NewReader(text), 0, int64(len(text)))
}

// withParts is a provider that has every optional method of its own: those of a store in memory.
type withParts struct {
	*minimal
	store.Multipart
	mem *memstore.Store
}

func newWithParts() withParts {
	mem := memstore.New(memstore.Config{})
	return withParts{newMinimal(), mem, mem}
}

func (w withParts) Limits() store.Limits { return w.mem.Limits() }

func (w withParts) Get(ctx context.Context, key string, r store.Range) (io.ReadCloser, store.Object, error) {
	return w.mem.Get(ctx, key, r, store.Cond{})
}

func (w withParts) Put(ctx context.Context, key string, b *io.SectionReader, h store.Headers) (store.PutResult, error) {
	return w.mem.Put(ctx, key, b, h, store.Cond{})
}

func (w withParts) PutIf(ctx context.Context, key string, b *io.SectionReader, h store.Headers, c store.Cond) (store.PutResult, error) {
	return w.mem.Put(ctx, key, b, h, c)
}

func (w withParts) Remove(ctx context.Context, key string) error {
	return w.mem.Delete(ctx, key, store.Cond{})
}

func (w withParts) RemoveIf(ctx context.Context, key string, c store.Cond) error {
	return w.mem.Delete(ctx, key, c)
}

func (w withParts) Head(ctx context.Context, key string) (store.Object, error) {
	return w.mem.Head(ctx, key, store.Cond{})
}

func (w withParts) Copy(ctx context.Context, r store.CopyRequest) (store.PutResult, error) {
	return w.mem.Copy(ctx, r)
}

func (w withParts) Pages(ctx context.Context, prefix string, o store.ListOptions) iter.Seq2[store.Page, error] {
	return w.mem.List(ctx, prefix, o)
}

func (w withParts) RemoveMany(ctx context.Context, keys []string) ([]store.KeyError, error) {
	return w.mem.DeleteMany(ctx, keys)
}

func (w withParts) PresignGet(context.Context, string, time.Duration) (string, error) {
	return "https://example.org/", nil
}

// TestProviderConformance: seven methods make the whole contract, and what a provider has beyond them is used.
func TestProviderConformance(t *testing.T) {
	for name, p := range map[string]func() store.Provider{
		"seven methods":   func() store.Provider { return newMinimal() },
		"with conditions": func() store.Provider { return conditional{newMinimal()} },
		"with everything": func() store.Provider { return newWithParts() },
	} {
		t.Run(name, func(t *testing.T) {
			f := storetest.Features{NoRequestIDs: name != "with everything"}
			storetest.Test(t, func(t *testing.T) store.Store { return whole(t, p()) }, f)
		})
	}
}

func TestProviderLimits(t *testing.T) {
	if l := whole(t, newMinimal()).Limits(); l.Multipart() || !l.LooseCond || !l.CopyCond || l.NeedsSync || l.Whole(8<<20) != l.MaxObject {
		t.Errorf("seven methods: %+v", l)
	}
	if l := whole(t, conditional{newMinimal()}).Limits(); l.LooseCond {
		t.Errorf("with conditions: %+v", l)
	}
	s := whole(t, newWithParts())
	if l := s.Limits(); !l.Multipart() || l.LooseCond || l.Whole(8<<20) != 8<<20 {
		t.Errorf("with everything: %+v", l)
	}
	if _, ok := s.(store.Presigner); !ok {
		t.Error("a provider that makes URLs makes none")
	}
	if _, ok := whole(t, newMinimal()).(store.Presigner); ok {
		t.Error("a provider that makes no URLs makes some")
	}
	if _, err := store.FromProvider(struct {
		*minimal
		store.Limited
	}{newMinimal(), newWithParts()}); err == nil || !strings.Contains(err.Error(), "minimal") {
		t.Errorf("limits of parts without parts: %v", err)
	}
}

func TestCapabilities(t *testing.T) {
	for _, c := range []struct {
		p    store.Provider
		want []string
	}{
		{newMinimal(), nil},
		{conditional{newMinimal()}, []string{"conditions"}},
		{newWithParts(), []string{"conditions", "head", "copy", "multipart", "pages", "remove-many", "presign"}},
		{memstore.Provider(), []string{"conditions", "head", "copy", "multipart", "pages", "remove-many", "probe"}},
	} {
		if d := cmp.Diff(c.want, store.Capabilities(c.p)); d != "" {
			t.Errorf("%T (-want +got):\n%s", c.p, d)
		}
	}
}

// TestProviderErrors: what a provider returns gets the fields of the contract.
func TestProviderErrors(t *testing.T) {
	m := newMinimal()
	s := whole(t, m)
	for _, c := range []struct {
		gives      error
		kind       error
		status     int
		unanswered bool
	}{
		{fmt.Errorf("no such file: %w", fs.ErrNotExist), store.ErrNotExist, 404, false},
		{fs.ErrPermission, store.ErrPermission, 403, false},
		{store.ErrThrottled, store.ErrThrottled, 503, true},
		{store.ErrInvalid, store.ErrInvalid, 400, false},
		{errors.New("disk on fire"), store.ErrTransient, 0, true},
		{&store.Error{Op: "x", Key: "y", Kind: store.ErrExpired, Code: "ExpiredToken"}, store.ErrExpired, 0, false},
	} {
		m.fail = func(string, string) error { return c.gives }
		_, err := s.Put(t.Context(), "k", section("x"), store.Headers{}, store.Cond{})
		e, ok := errors.AsType[*store.Error](err)
		if !ok || !errors.Is(err, c.kind) || e.Status != c.status || e.Unanswered != c.unanswered || e.Op != "put" || e.Key != "k" {
			t.Errorf("put, %v: %+v", c.gives, err)
		}
		if _, err := s.Head(t.Context(), "k", store.Cond{}); store.Unanswered(err) && c.status != 503 || !errors.Is(err, c.kind) {
			t.Errorf("head, %v: %v", c.gives, err)
		}
	}
}

// TestProviderListsOutOfOrder: a listing that would hide objects is an error.
func TestProviderListsOutOfOrder(t *testing.T) {
	for name, keys := range map[string][]string{"backwards": {"p/b", "p/a"}, "twice": {"p/a", "p/a"}, "elsewhere": {"q/a"}} {
		s := whole(t, unordered{newMinimal(), keys})
		var last error
		for _, err := range s.List(t.Context(), "p/", store.ListOptions{}) {
			last = err
		}
		if !errors.Is(last, store.ErrInvalid) || !strings.Contains(fmt.Sprint(last), "out of order") {
			t.Errorf("%s: %v", name, last)
		}
	}
}

type unordered struct {
	*minimal
	keys []string
}

func (u unordered) List(context.Context, string, string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		for _, k := range u.keys {
			if !yield(store.Object{Key: k}, nil) {
				return
			}
		}
	}
}

// TestListingSkipsWhatIsBelow: keys below a common prefix are not all read to find what follows it.
func TestListingSkipsWhatIsBelow(t *testing.T) {
	m := newMinimal()
	for i := range 5000 {
		m.objects[fmt.Sprintf("dir/%05d", i)] = version{}
	}
	m.objects["file"] = version{}
	read := 0
	s := whole(t, counted{m, &read})
	var got []string
	for p, err := range s.List(t.Context(), "", store.ListOptions{Delimiter: "/"}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, p.Prefixes...)
		for _, o := range p.Objects {
			got = append(got, o.Key)
		}
	}
	if d := cmp.Diff([]string{"dir/", "file"}, got); d != "" || read > 1100 {
		t.Errorf("%d keys were read:\n%s", read, d)
	}
	t.Logf("%d of 5001 keys were read", read)
}

type counted struct {
	*minimal
	read *int
}

func (c counted) List(ctx context.Context, prefix, after string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		for o, err := range c.minimal.List(ctx, prefix, after) {
			*c.read++
			if !yield(o, err) {
				return
			}
		}
	}
}

// TestProviderBodies: bodies that are not of the length that was told are errors, to whoever reads or writes them.
func TestProviderBodies(t *testing.T) {
	s := whole(t, bodies{newMinimal(), "abc"})
	body, _, err := s.Get(t.Context(), "k", store.All, store.Cond{})
	if err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a body that ends early: %q, %v", data, err)
	}
	s = whole(t, bodies{newMinimal(), strings.Repeat("abc", 10)})
	if body, _, err = s.Get(t.Context(), "k", store.Range{Off: 2, Len: 3}, store.Cond{}); err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(body); err != nil || len(data) != 3 {
		t.Errorf("a body that is longer than the range: %q, %v", data, err)
	}

	m := careless{newMinimal()}
	s = whole(t, m)
	short := io.NewSectionReader(strings.NewReader("short"), 0, 100)
	if _, err := s.Put(t.Context(), "k", short, store.Headers{}, store.Cond{}); !store.Unanswered(err) {
		t.Errorf("a provider that stores what it could not read: %v", err)
	}
}

// bodies answers ten bytes' length and gives others.
type bodies struct {
	*minimal
	data string
}

func (b bodies) Get(context.Context, string, store.Range) (io.ReadCloser, store.Object, error) {
	return io.NopCloser(strings.NewReader(b.data)), store.Object{Size: 10, ETag: `"x"`}, nil
}

// careless ignores errors of what it reads.
type careless struct{ *minimal }

func (c careless) Put(_ context.Context, _ string, body *io.SectionReader, _ store.Headers) (store.PutResult, error) {
	_, _ = io.ReadAll(body)
	return store.PutResult{ETag: `"x"`}, nil
}

// TestLargeCopyThroughThisMachine: what is too large for memory goes through a file, and the version that was asked for is the one copied.
func TestLargeCopyThroughThisMachine(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	m := newMinimal()
	s := whole(t, m)
	large := strings.Repeat("0123456789abcdef", 3<<16)
	res, err := s.Put(t.Context(), "a", section(large), store.Headers{ContentType: "text/plain"}, store.Cond{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Copy(t.Context(), store.CopyRequest{Source: "a", SourceETag: res.ETag, Target: "b", Cond: store.Cond{IfNoneMatch: true}}); err != nil {
		t.Fatal(err)
	}
	if got := m.objects["b"]; string(got.data) != large || got.headers.ContentType != "text/plain" {
		t.Errorf("%d bytes, %+v", len(got.data), got.headers)
	}
	// Somebody else writes while attributes are changed: the change is refused, not the write undone.
	other := conditional{newMinimal()}
	s = whole(t, raced{other})
	if _, err := s.Put(t.Context(), "a", section("mine"), store.Headers{}, store.Cond{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Copy(t.Context(), store.CopyRequest{Source: "a", Target: "a", Headers: &store.Headers{}}); !errors.Is(err, store.ErrChanged) {
		t.Errorf("self-copy over another's write: %v", err)
	}
	if got := string(other.objects["a"].data); got != "theirs" {
		t.Errorf("left is %q", got)
	}
}

// raced has somebody else write right after each Get.
type raced struct{ conditional }

func (r raced) Get(ctx context.Context, key string, g store.Range) (io.ReadCloser, store.Object, error) {
	body, o, err := r.conditional.Get(ctx, key, g)
	if _, err := r.conditional.Put(ctx, key, section("theirs"), store.Headers{}); err != nil {
		return nil, o, err
	}
	return body, o, err
}

// TestLooseConditionsHoldHere: of the writers of one process that look at the same time one wins, also where the provider has no conditions; a
// writer that waits for its turn ends with its context.
func TestLooseConditionsHoldHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := whole(t, slow{newMinimal()})
		ended, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		errs := make([]error, 8)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() {
				_, errs[i] = s.Put(t.Context(), "k", section("x"), store.Headers{}, store.Cond{IfNoneMatch: true})
			})
		}
		synctest.Wait()
		if _, err := s.Put(ended, "k", section("late"), store.Headers{}, store.Cond{}); !errors.Is(err, context.DeadlineExceeded) || store.Unanswered(err) {
			t.Errorf("who waits too long: %v", err)
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if !errors.Is(err, store.ErrChanged) {
				t.Error(err)
			}
		}
		if won != 1 {
			t.Errorf("%d of %d won", won, len(errs))
		}
	})
}

// slow takes a second from its look at an object to its answer.
type slow struct{ *minimal }

func (s slow) Get(ctx context.Context, key string, r store.Range) (io.ReadCloser, store.Object, error) {
	body, o, err := s.minimal.Get(ctx, key, r)
	time.Sleep(time.Second)
	return body, o, err
}
