package attrs_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/s3levelfs/s3levelfs/fs/vfs/attrs"
	"github.com/s3levelfs/s3levelfs/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// heads is a store that answers HEAD only.
type heads struct {
	mu      sync.Mutex
	objects map[string]store.Object
	sent    int
	flying  int
	most    int
	wait    func(ctx context.Context) error // before each answer
}

func (s *heads) Head(ctx context.Context, key string, c store.Cond) (store.Object, error) {
	s.mu.Lock()
	s.sent++
	s.flying++
	s.most = max(s.most, s.flying)
	wait := s.wait
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.flying--
		s.mu.Unlock()
	}()
	if wait != nil {
		if err := wait(ctx); err != nil {
			return store.Object{}, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.objects[key]
	switch {
	case !ok:
		return o, &store.Error{Op: "head", Key: key, Kind: store.ErrNotExist}
	case c.IfMatch != "" && c.IfMatch != o.ETag, !c.IfUnmodifiedSince.IsZero() && o.LastModified.After(c.IfUnmodifiedSince):
		return o, &store.Error{Op: "head", Key: key, Kind: store.ErrChanged}
	}
	h := o.Headers.Clone()
	o.Headers = &h
	return o, nil
}

func (s *heads) Get(context.Context, string, store.Range, store.Cond) (io.ReadCloser, store.Object, error) {
	return nil, store.Object{}, &store.Error{Op: "get", Kind: store.ErrInvalid}
}

func (s *heads) List(context.Context, string, store.ListOptions) iter.Seq2[store.Page, error] {
	return func(func(store.Page, error) bool) {}
}

func (s *heads) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent
}

// put stores n objects and returns them as a listing would tell them.
func (s *heads) put(prefix string, n int, size int64) []store.Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.objects == nil {
		s.objects = map[string]store.Object{}
	}
	var listed []store.Object
	for i := range n {
		o := store.Object{Key: fmt.Sprintf("%s%04d", prefix, i), Size: size, ETag: fmt.Sprintf(`"%s%d"`, prefix, i), LastModified: time.Unix(1_700_000_000+int64(i), 0)}
		listed = append(listed, o)
		o.Headers = &store.Headers{ContentType: "text/plain", BucketKey: true, Metadata: meta{"mode": "33188", "mtime": fmt.Sprint(i), "note": "ü"}}
		s.objects[o.Key] = o
	}
	return listed
}

func own(key string) bool { return strings.HasPrefix(key, "private/") }

func TestHeadsAreSentOnceAndKept(t *testing.T) {
	s, dir := &heads{}, t.TempDir()
	listed := s.put("private/", 1000, 3)
	x := attrs.New(s, attrs.Config{Dir: dir, Own: own})
	for range 2 {
		if err := x.Prefetch(t.Context(), listed); err != nil {
			t.Fatal(err)
		}
		if s.count() != 1000 {
			t.Fatalf("%d HEADs", s.count())
		}
	}
	x.Close()
	if s.most > 64 {
		t.Errorf("%d HEADs in parallel", s.most)
	}
	st, err := os.Stat(filepath.Join(dir, "attrs.idx"))
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("file: %v, %v", st, err)
	}

	x = attrs.New(s, attrs.Config{Dir: dir, Own: own})
	defer x.Close()
	if err := x.Prefetch(t.Context(), listed); err != nil || s.count() != 1000 {
		t.Errorf("after reopening: %v, %d HEADs", err, s.count()-1000)
	}
	h, p, fresh, ok := x.Get(listed[7])
	if !ok || !fresh || p.Mode != 0o100644 || !p.Mtime.Equal(time.Unix(7, 0)) {
		t.Errorf("%+v, %v, %v", p, fresh, ok)
	}
	if diff := cmp.Diff(*s.objects[listed[7].Key].Headers, h); diff != "" {
		t.Error(diff)
	}
	other := listed[7]
	for what, change := range map[string]func(o *store.Object){
		"ETag":          func(o *store.Object) { o.ETag = `"x"` },
		"size":          func(o *store.Object) { o.Size++ },
		"Last-Modified": func(o *store.Object) { o.LastModified = o.LastModified.Add(time.Second) },
		"key":           func(o *store.Object) { o.Key += "x" },
	} {
		o := other
		change(&o)
		if _, _, _, ok := x.Get(o); ok {
			t.Errorf("another %s is taken for the same version", what)
		}
	}
}

func TestExpiry(t *testing.T) {
	const never = time.Hour
	tests := map[string]struct {
		key     string
		size    int64
		expires time.Duration
	}{
		"own":          {"private/a", 3, never},
		"others'":      {"public/a", 3, attrs.DefaultAttrTTL},
		"own, empty":   {"private/a", 0, attrs.DefaultMetadataTTL},
		"others empty": {"public/a", 0, attrs.DefaultMetadataTTL},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &heads{}
				o := s.put(tt.key, 1, tt.size)[0]
				x := attrs.New(s, attrs.Config{Own: own})
				defer x.Close()
				if _, p, err := x.Fetch(t.Context(), o); err != nil || p.Mode != 0o100644 {
					t.Fatal(p, err)
				}
				time.Sleep(tt.expires - time.Millisecond)
				if _, _, fresh, ok := x.Get(o); !fresh || !ok {
					t.Errorf("just before: fresh %v, known %v", fresh, ok)
				}
				time.Sleep(2 * time.Millisecond)
				if _, p, fresh, ok := x.Get(o); fresh != (tt.expires == never) || !ok || p.Mode != 0o100644 {
					t.Errorf("just after: fresh %v, known %v", fresh, ok)
				}
				if err := x.Prefetch(t.Context(), []store.Object{o}); err != nil {
					t.Fatal(err)
				}
				want := 2
				if tt.expires == never {
					want = 1
				}
				if s.count() != want {
					t.Errorf("%d HEADs, want %d", s.count(), want)
				}
				if _, _, fresh, _ := x.Get(o); !fresh {
					t.Error("not renewed")
				}
			})
		})
	}
}

func TestOwnWriteNeedsNoHead(t *testing.T) {
	s, dir := &heads{}, t.TempDir()
	now := time.Now()
	written := store.Object{Key: "private/a", Size: 3, ETag: `"e"`, Headers: &store.Headers{Metadata: meta{"mode": "33188"}}}
	listed := store.Object{Key: "private/a", Size: 3, ETag: "e", LastModified: now.Add(time.Second)} // without quotes: some servers
	later := listed
	later.LastModified = now.Add(10 * time.Minute)

	x := attrs.New(s, attrs.Config{Dir: dir, Own: own})
	x.Put(written)
	if _, _, _, ok := x.Get(later); ok {
		t.Error("another's write of the same bytes is taken for ours")
	}
	for range 2 {
		if _, p, fresh, ok := x.Get(listed); !ok || !fresh || p.Mode != 0o100644 {
			t.Errorf("fresh %v, known %v", fresh, ok)
		}
	}
	x.Close()
	x = attrs.New(s, attrs.Config{Dir: dir, Own: own})
	defer x.Close()
	if _, _, fresh, ok := x.Get(listed); !ok || !fresh {
		t.Errorf("after reopening: fresh %v, known %v", fresh, ok)
	}
	if _, _, _, ok := x.Get(later); ok {
		t.Error("a second date was adopted")
	}
	x.Forget("private/a")
	if _, _, _, ok := x.Get(listed); ok {
		t.Error("not forgotten")
	}
}

// The answer may date the version otherwise than the listing: no HEAD for each stat.
func TestListingAndAnswerDisagreeOnTheDate(t *testing.T) {
	s := &heads{}
	o := s.put("public/a", 1, 3)[0]
	o.LastModified = o.LastModified.Add(-2 * time.Second)
	x := attrs.New(s, attrs.Config{})
	defer x.Close()
	if _, _, err := x.Fetch(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if _, _, fresh, ok := x.Get(o); !fresh || !ok {
		t.Errorf("fresh %v, known %v", fresh, ok)
	}
}

func TestFetchIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &heads{wait: func(ctx context.Context) error {
			select {
			case <-time.After(time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}}
		o := s.put("public/a", 1, 3)[0]
		x := attrs.New(s, attrs.Config{})
		defer x.Close()
		first, cancel := context.WithCancel(t.Context())
		errs := make(chan error, 5)
		for i := range 5 {
			ctx := t.Context()
			if i == 0 {
				ctx = first
			}
			go func() {
				_, _, err := x.Fetch(ctx, o)
				errs <- err
			}()
			synctest.Wait()
		}
		cancel()
		if err := <-errs; !errors.Is(err, context.Canceled) {
			t.Errorf("the first: %v", err)
		}
		for range 4 {
			if err := <-errs; err != nil {
				t.Errorf("another: %v", err)
			}
		}
		if s.count() != 1 {
			t.Errorf("%d HEADs", s.count())
		}
	})
}

func TestFetchEndsWithItsLastCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &heads{wait: func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(time.Second) // it takes its time to end
			return ctx.Err()
		}}
		o := s.put("public/a", 1, 3)[0]
		x := attrs.New(s, attrs.Config{})
		defer x.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := x.Fetch(ctx, o); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		s.mu.Lock()
		s.wait = nil
		s.mu.Unlock()
		if _, _, err := x.Fetch(t.Context(), o); err != nil {
			t.Errorf("the next caller: %v", err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if s.flying != 0 || x.Stats().Flying != 0 {
			t.Errorf("%d HEADs go on", s.flying)
		}
	})
}

func TestFetchFailures(t *testing.T) {
	s := &heads{}
	listed := s.put("public/", 3, 3)
	x := attrs.New(s, attrs.Config{})
	changed, gone := listed[0], listed[1]
	changed.ETag = `"old"`
	gone.Key = "public/gone"
	if _, _, err := x.Fetch(t.Context(), changed); !errors.Is(err, store.ErrChanged) {
		t.Errorf("changed: %v", err)
	}
	if _, _, err := x.Fetch(t.Context(), gone); !errors.Is(err, store.ErrNotExist) {
		t.Errorf("gone: %v", err)
	}
	if err := x.Prefetch(t.Context(), []store.Object{changed, gone, listed[2]}); err != nil {
		t.Errorf("Prefetch: %v", err)
	}
	if _, _, fresh, _ := x.Get(listed[2]); !fresh {
		t.Error("the others were not fetched")
	}
	x.Close()
	x.Close()
	if _, _, err := x.Fetch(t.Context(), listed[0]); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

func TestPrefetchStopsWhereRightsAreMissing(t *testing.T) {
	s := &heads{wait: func(context.Context) error { return &store.Error{Op: "head", Kind: store.ErrPermission} }}
	listed := s.put("public/", 1000, 3)
	x := attrs.New(s, attrs.Config{Parallel: 4})
	defer x.Close()
	if err := x.Prefetch(t.Context(), listed); !errors.Is(err, store.ErrPermission) {
		t.Errorf("got %v", err)
	}
	if s.count() > 50 {
		t.Errorf("%d HEADs", s.count())
	}
}

func TestObjectWithoutETag(t *testing.T) {
	s := &heads{}
	o := s.put("public/a", 1, 3)[0]
	stored := s.objects[o.Key]
	stored.ETag = ""
	s.objects[o.Key] = stored
	o.ETag = ""
	x := attrs.New(s, attrs.Config{})
	defer x.Close()
	if _, _, err := x.Fetch(t.Context(), o); err != nil {
		t.Error(err)
	}
	o.LastModified = o.LastModified.Add(-time.Second)
	if _, _, err := x.Fetch(t.Context(), o); !errors.Is(err, store.ErrChanged) {
		t.Errorf("modified since: %v", err)
	}
}

func TestMaxEntries(t *testing.T) {
	s := &heads{}
	listed := s.put("private/", 100, 3)
	x := attrs.New(s, attrs.Config{MaxEntries: 10, Own: own})
	defer x.Close()
	if err := x.Prefetch(t.Context(), listed); err != nil {
		t.Fatal(err)
	}
	if n := x.Stats().Entries; n != 10 {
		t.Errorf("%d entries", n)
	}
}
