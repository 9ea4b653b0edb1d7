package listing_test

import (
	"context"
	"fmt"
	"iter"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/fs/vfs/listing"
	"github.com/s3levelfs/s3levelfs/store"
)

// numbers is a store with n files in one directory that takes no memory.
type numbers struct {
	store.Reader
	n     int
	lists atomic.Int64
}

func (s *numbers) List(_ context.Context, prefix string, o store.ListOptions) iter.Seq2[store.Page, error] {
	return func(yield func(store.Page, error) bool) {
		at := 0
		if after, ok := strings.CutPrefix(o.StartAfter, prefix+"file-"); ok {
			at, _ = strconv.Atoi((after + "0000000")[:7])
			if len(after) >= 7 {
				at++
			}
		}
		for more := true; more; {
			s.lists.Add(1)
			end := min(at+1000, s.n)
			page := store.Page{More: end < s.n}
			for ; at < end; at++ {
				page.Objects = append(page.Objects, store.Object{
					Key: fmt.Sprintf("%sfile-%07d", prefix, at), Size: int64(at), ETag: fmt.Sprintf("\"%032x\"", uint64(at)*0x9e3779b97f4a7c15),
					LastModified: time.Unix(1_700_000_000+int64(at), 0).UTC(),
				})
			}
			more = page.More
			if !yield(page, nil) {
				return
			}
		}
	}
}

func inUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestMillion: a directory of S3LEVELFS_NAMES files (100,000; a million in make soak) is listed and read twice: the second time
// without a request, both times in little more memory than 64 bytes a file.
func TestMillion(t *testing.T) {
	n := 100_000
	if text := os.Getenv("S3LEVELFS_NAMES"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	s := &numbers{n: n}
	before := inUse()
	x := listing.New(s, listing.Config{TTL: time.Hour})
	defer x.Close()
	for round, requests := range []int64{int64(n+999) / 1000, 0} {
		s.lists.Store(0)
		st, err := x.Open(t.Context(), "p/d/")
		if err != nil {
			t.Fatal(err)
		}
		count, peak := 0, int64(0)
		for batch := 0; ; batch++ {
			entries, err := st.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(entries) == 0 {
				break
			}
			if count += len(entries); batch%100 == 0 {
				peak = max(peak, inUse()-before)
			}
		}
		peak = max(peak, inUse()-before)
		st.Close()
		t.Logf("round %d: %d files, %d requests, %d KiB in use at most, %.1f bytes a file", round+1, count, s.lists.Load(), peak>>10, float64(peak)/float64(n))
		if count != n || s.lists.Load() > requests*3/2 { // on a slow machine the store counts as distant
			t.Errorf("%d files, %d requests", count, s.lists.Load())
		}
		if peak > int64(n)*64+4<<20 {
			t.Errorf("%d bytes in use", peak)
		}
	}
	if got := x.Entries(); got < n {
		t.Errorf("%d entries are kept", got)
	}
}
