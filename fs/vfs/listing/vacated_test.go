package listing_test

import (
	"context"
	"errors"
	"testing"

	"github.com/s3levelfs/s3levelfs/fs/vfs/listing"
	"github.com/s3levelfs/s3levelfs/store"
)

// vacated asks of a directory in which nothing is being removed.
func vacated(t *testing.T, x *listing.Index, dir string) (bool, error) {
	t.Helper()
	return x.Vacated(t.Context(), dir, func(string) bool { return false }, func(context.Context) error { return nil })
}

// TestVacated: what is about to be removed, and what was removed while the listing was under way, leaves a directory empty; what
// somebody else has there does not.
func TestVacated(t *testing.T) {
	settled := func(context.Context) error { return nil }
	broken := errors.New("no news")
	for name, tc := range map[string]struct {
		keys  []string
		full  string                        // the key of a marker that holds something
		after func(*bucket, *listing.Index) // the answer is made
		told  func(context.Context) error
		want  bool
		err   error
	}{
		"no key":               {want: true},
		"marker":               {keys: []string{"p/d/"}, want: true},
		"marker with content":  {full: "p/d/"},
		"being removed":        {keys: []string{"p/d/", "p/d/gone1", "p/d/gone2"}, want: true},
		"somebody else's":      {keys: []string{"p/d/gone1", "p/d/theirs"}},
		"deep":                 {keys: []string{"p/d/e/f/theirs"}},
		"removed meanwhile":    {keys: []string{"p/d/ours"}, after: func(_ *bucket, x *listing.Index) { x.Removed("p/d/ours") }, want: true},
		"another one":          {keys: []string{"p/d/ours", "p/d/theirs"}, after: func(_ *bucket, x *listing.Index) { x.Removed("p/d/ours") }},
		"stored meanwhile":     {keys: []string{"p/d/new"}, after: func(b *bucket, x *listing.Index) { x.Stored(b.put("p/d/new")) }},
		"directory meanwhile":  {keys: []string{"p/d/e/"}, after: func(_ *bucket, x *listing.Index) { x.DirRemoved("p/d/e/") }, want: true},
		"news that never came": {keys: []string{"p/d/x"}, told: func(context.Context) error { return broken }, err: broken},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBucket(tc.keys...)
			if tc.full != "" {
				b.keys[tc.full] = store.Object{Key: tc.full, Size: 1}
			}
			x := open(t, b, listing.Config{})
			b.hook(nil, func(string, int) {
				if tc.after != nil {
					tc.after(b, x)
				}
			})
			if tc.told == nil {
				tc.told = settled
			}
			gone := func(key string) bool { return key == "p/d/gone1" || key == "p/d/gone2" }
			got, err := x.Vacated(t.Context(), "p/d/", gone, tc.told)
			if got != tc.want || !errors.Is(err, tc.err) {
				t.Errorf("%v, %v; want %v, %v", got, err, tc.want, tc.err)
			}
		})
	}
}

// TestVacatedEndsAtTheFirstOther: a large directory that is not empty costs one page.
func TestVacatedEndsAtTheFirstOther(t *testing.T) {
	b := newBucket(many("p/d/f", 5000)...)
	x := open(t, b, listing.Config{})
	b.count()
	got, err := vacated(t, x, "p/d/")
	if got || err != nil || b.count() != 1 {
		t.Errorf("%v, %v, or more than one request", got, err)
	}
}
