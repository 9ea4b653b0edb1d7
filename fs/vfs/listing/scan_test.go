package listing_test

import (
	"crypto/md5"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/fs/vfs/listing"
	"github.com/s3levelfs/s3levelfs/store"
)

// names of n files, by how people and programs name them.
func namings(n int) map[string][]string {
	hex := func(i, digits int) string { return fmt.Sprintf("%x", md5.Sum(fmt.Append(nil, i)))[:digits] }
	make := func(name func(i int) string) []string {
		names := make([]string, n)
		for i := range names {
			names[i] = name(i)
		}
		return names
	}
	day := time.Date(2019, 1, 1, 0, 0, 0, 0, time.UTC)
	uuid := func(i int) string {
		h := hex(i, 32)
		return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-" + h[16:20] + "-" + h[20:]
	}
	return map[string][]string{
		"numbered": make(func(i int) string { return fmt.Sprintf("file-%06d", i+1) }),
		"hex":      make(func(i int) string { return hex(i, 16) + ".jpg" }),
		"UUIDs":    make(uuid),
		"dates": make(func(i int) string {
			return day.Add(time.Duration(i) * 37 * time.Minute).Format("2006-01-02T15-04-05.log")
		}),
		"cameras skewed": make(func(i int) string {
			switch {
			case i < n*9/10:
				return fmt.Sprintf("IMG_%06d.JPG", i)
			case i%2 == 0:
				return uuid(i)
			}
			return fmt.Sprintf("scan %d-%04d", 2000+i/7%20, i)
		}),
	}
}

// TestGuessesAreUTF8: a directory of names in other scripts is listed in parts as well, and no part begins within a character: S3 refuses that.
func TestGuessesAreUTF8(t *testing.T) {
	const n = 30_000
	for kind, letters := range map[string]string{"Cyrillic": "абвгдежзиклмнопрстуфхцчшщэюя", "kana": "あいうえおかきくけこさしすせそたちつてと", "mixed": "aäαаあ😀"} {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				runes := []rune(letters)
				b := newBucket()
				var names []string
				for i := range n {
					name := ""
					for rest := i * 7919 % n; len(name) < 40; rest /= len(runes) {
						name = string(runes[rest%len(runes)]) + name
					}
					names = append(names, name)
					b.put("p/d/" + name)
				}
				slowly(b)
				x := open(t, b, listing.Config{})
				entries, _, err := x.ReadDir(t.Context(), "p/d/")
				if err != nil {
					t.Fatal(err)
				}
				wantNames(t, entries, names)
			})
		})
	}
}

// TestHugeDirectory: 100,000 names take a quarter of the time of one listing, and half as many requests again.
func TestHugeDirectory(t *testing.T) {
	const n = 100_000
	for kind, names := range namings(n) {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBucket()
				for _, name := range names {
					b.put("p/d/" + name)
				}
				unevenly(b)
				x := open(t, b, listing.Config{})
				began := time.Now()
				entries, _, err := x.ReadDir(t.Context(), "p/d/")
				took, requests := time.Since(began), b.count()
				if err != nil {
					t.Fatal(err)
				}
				wantNames(t, entries, names)
				serial := (len(entries) + 999) / 1000
				quarter := time.Duration(serial) * way / 4
				t.Logf("%d entries: %.2f of the time of one listing, %.2f of its requests", len(entries),
					float64(took)/float64(serial)/float64(way), float64(requests)/float64(serial))
				if took > quarter || requests > serial*3/2 {
					t.Errorf("%v and %d requests, one listing takes %v and %d", took, requests, time.Duration(serial)*way, serial)
				}
			})
		})
	}
}

func wantNames(t *testing.T, entries []listing.Entry, names []string) {
	t.Helper()
	want := make([]string, len(names))
	for i, name := range names {
		want[i], _, _ = strings.Cut(name, "/")
	}
	slices.Sort(want)
	want = slices.Compact(want)
	got := make([]string, len(entries))
	for i := range entries {
		got[i] = entries[i].Name
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%d entries, want %d: %.200q", len(got), len(want), got)
	}
}

// TestDirectoryOf20000 is the harness's: on a server beside it costs what one listing costs, on a distant one less time than one
// listing takes.
func TestDirectoryOf20000(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, tc := range map[string]struct {
			page, way time.Duration
			cpus      int // as many pages at a time
			requests  int
			most      time.Duration
		}{
			"beside":                     {30 * time.Millisecond, 0, 1, 21, 20 * 30 * time.Millisecond},
			"distant":                    {20 * time.Millisecond, 20 * time.Millisecond, 64, 28, 20 * 40 * time.Millisecond * 73 / 100},
			"distant, of two processors": {35 * time.Millisecond, 20 * time.Millisecond, 2, 27, 20 * 55 * time.Millisecond * 6 / 10},
			"pages at once help nothing": {40 * time.Millisecond, 10 * time.Millisecond, 1, 22, 21 * 50 * time.Millisecond},
		} {
			b := newBucket(many("p/big/f", 20_000)...)
			cpu := make(chan struct{}, tc.cpus)
			b.hook(func(prefix string, _ int) error {
				time.Sleep(tc.way)
				if prefix == "p/big/" {
					cpu <- struct{}{}
					time.Sleep(tc.page)
					<-cpu
				}
				return nil
			}, nil)
			x := open(t, b, listing.Config{})
			began := time.Now()
			lookup(t, x, "p/", "big")
			entries, _, err := x.ReadDir(t.Context(), "p/big/")
			if err != nil || len(entries) != 20_000 {
				t.Fatal(len(entries), err)
			}
			took, n := time.Since(began), b.count()
			t.Logf("%s: %d requests, %v", name, n, took)
			if n > tc.requests || took > tc.most+tc.way {
				t.Errorf("%s: %d requests, %v; want %d, %v", name, n, took, tc.requests, tc.most)
			}
		}
	})
}

// TestStartAfterIgnored: a server that begins each listing at the first key is listed whole all the same.
func TestStartAfterIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket(many("p/d/f", 20_000)...)
		b.deaf = true
		slowly(b)
		x := open(t, b, listing.Config{})
		for range 2 {
			entries, _, err := x.ReadDir(t.Context(), "p/d/")
			if err != nil || len(entries) != 20_000 {
				t.Fatal(len(entries), err)
			}
			t.Log(b.count(), "requests")
			time.Sleep(time.Minute)
		}
	})
}

// TestNoOrder: a store that lists its keys in no order is listed whole, by one listing at a time.
func TestNoOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket(many("p/d/f", 5_000)...)
		b.shuffled = true
		slowly(b)
		x := open(t, b, listing.Config{})
		entries, _, err := x.ReadDir(t.Context(), "p/d/")
		for errors.Is(err, listing.ErrDisorder) { // told once, where parts had been listed already
			entries, _, err = x.ReadDir(t.Context(), "p/d/")
		}
		if err != nil {
			t.Fatal(err)
		}
		names := many("f", 5000)
		wantNames(t, entries, names)
		want(t, "a name", lookup(t, x, "p/d/", "f00077"), "f00077")
	})
}

// TestScanFails: an error of any part is the directory's, and no page more is asked for.
func TestScanFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket(many("p/d/f", 50_000)...)
		x := open(t, b, listing.Config{})
		var n atomic.Int64
		b.hook(func(string, int) error {
			time.Sleep(way)
			if n.Add(1) == 20 {
				return refuse(store.ErrPermission)
			}
			return nil
		}, nil)
		entries, _, err := x.ReadDir(t.Context(), "p/d/")
		if !errors.Is(err, store.ErrPermission) || entries != nil {
			t.Errorf("%d entries, %v", len(entries), err)
		}
		synctest.Wait()
		before := b.count()
		time.Sleep(time.Minute)
		if after := b.count(); after > 0 {
			t.Errorf("%d requests, and %d after the failure", before, after)
		}
	})
}
