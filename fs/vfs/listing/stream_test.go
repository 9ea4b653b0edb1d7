package listing_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/s3levelfs/s3levelfs/fs/vfs/listing"
)

// TestFirstEntriesAfterOnePage: the names of the first page are there when it has come, and who goes away then ends the listing.
func TestFirstEntriesAfterOnePage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket(many("p/d/f", 50_000)...)
		slowly(b)
		x := open(t, b, listing.Config{TTL: ttl})
		began := time.Now()
		st, err := x.Open(t.Context(), "p/d/")
		if err != nil {
			t.Fatal(err)
		}
		entries, err := st.Next(t.Context())
		if took := time.Since(began); err != nil || len(entries) == 0 || entries[0].Name != "f00000" || took > way {
			t.Errorf("%d entries after %v, %v", len(entries), took, err)
		}
		want(t, "a name that has come", lookup(t, x, "p/d/", "f00500"), "f00500")
		want(t, "one that is not there", lookup(t, x, "p/d/", "f00500x"), "")
		synctest.Wait() // what is on its way has been counted
		atMost(t, b, "names of the first page, and the page that is on its way", 2)
		st.Close()
		synctest.Wait()
		time.Sleep(time.Minute)
		atMost(t, b, "after the reader has gone", 0)
	})
}

// TestStreamWhileItChanges: what is there all the while comes once, nothing comes twice, and nothing that was gone before the stream
// began comes at all, whatever changes here meanwhile.
func TestStreamWhileItChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(noDeadline{t}, func(t *rapid.T) {
			n := rapid.IntRange(1, 9000).Draw(t, "files")
			b := newBucket(many("p/d/f", n)...)
			if rapid.Bool().Draw(t, "distant") {
				slowly(b)
			}
			x := listing.New(b, listing.Config{TTL: ttl})
			defer x.Close()
			stays, there := map[string]bool{}, map[string]bool{}
			for _, name := range many("f", n) {
				stays[name], there[name] = true, true
			}
			touched := map[string]bool{}
			change := func(began bool) {
				name := fmt.Sprintf("f%05d", rapid.IntRange(0, n+20).Draw(t, "name")) + rapid.SampledFrom([]string{"", "-new"}).Draw(t, "new")
				if there[name] && rapid.Bool().Draw(t, "remove") {
					b.remove("p/d/" + name)
					x.Removed("p/d/" + name)
					delete(there, name)
					delete(stays, name)
				} else {
					x.Stored(b.put("p/d/" + name))
					if !began {
						stays[name] = true
					}
					there[name] = true
				}
				if began {
					touched[name] = true
				}
			}
			if rapid.Bool().Draw(t, "listed") {
				if _, _, err := x.ReadDir(t.Context(), "p/d/"); err != nil {
					t.Fatal(err)
				}
			}
			for range rapid.IntRange(0, 5).Draw(t, "before") {
				change(false)
			}
			st, err := x.Open(t.Context(), "p/d/")
			if err != nil {
				t.Fatal(err)
			}
			defer st.Close()
			got := map[string]int{}
			for {
				entries, err := st.Next(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if len(entries) == 0 {
					break
				}
				if !slices.IsSortedFunc(entries, func(a, b listing.Entry) int { return strings.Compare(a.Name, b.Name) }) {
					t.Fatal("not in order")
				}
				for _, e := range entries {
					got[e.Name]++
				}
				for range rapid.IntRange(0, 3).Draw(t, "between") {
					change(true)
				}
			}
			for name := range stays {
				if !touched[name] && got[name] != 1 {
					t.Fatalf("%s came %d times", name, got[name])
				}
			}
			for name, times := range got {
				if times > 1 || !stays[name] && !touched[name] {
					t.Fatalf("%s came %d times", name, times)
				}
			}
		})
	})
}
