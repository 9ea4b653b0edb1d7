package listing

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/s3levelfs/s3levelfs/store"
)

func genItems(t *rapid.T) []item {
	etag := rapid.OneOf(
		rapid.StringMatching(`"[0-9a-f]{32}"`), rapid.StringMatching(`"[0-9a-fA-F]{32}(-[0-9]{1,8})?"`),
		rapid.SampledFrom([]string{"", `""`, `"d41d8cd98f00b204e9800998ecf8427e-"`, `"d41d8cd98f00b204e9800998ecf8427e-007"`}), rapid.String())
	byKey := rapid.MapOfN(rapid.StringMatching(`[a-c/é]{1,6}|file-[0-9]{4}`), etag, 0, 300).Draw(t, "keys")
	var items []item
	for key, tag := range byKey {
		it := item{key: key}
		if rapid.IntRange(0, 9).Draw(t, "kind") > 0 {
			it.obj = &store.Object{Key: "p/" + key, ETag: tag, Size: rapid.Int64Min(0).Draw(t, "size")}
			it.obj.StorageClass = rapid.SampledFrom([]string{"", "", "GLACIER"}).Draw(t, "class")
			if rapid.Bool().Draw(t, "dated") {
				it.obj.LastModified = time.Unix(rapid.Int64Range(-1e9, 4e9).Draw(t, "s"), rapid.SampledFrom([]int64{0, 0, 1, 999}).Draw(t, "ns")).UTC()
			}
		}
		items = append(items, it)
	}
	slices.SortFunc(items, func(a, b item) int { return strings.Compare(a.key, b.key) })
	return items
}

// TestTableKeepsItems: what is packed comes back, all of it and by key, and nothing else does.
func TestTableKeepsItems(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		items := genItems(t)
		tab := newTable(pack(items))
		if diff := cmp.Diff(items, slices.Collect(tab.behind("", "p/")), cmp.AllowUnexported(item{})); diff != "" {
			t.Fatal(diff)
		}
		for _, it := range items {
			got, ok := tab.find(it.key, "p/")
			if diff := cmp.Diff(it, got, cmp.AllowUnexported(item{})); !ok || diff != "" {
				t.Fatal(ok, diff)
			}
		}
		for _, key := range []string{"", "a", "b/c", "zz", "file-5"} {
			has := slices.ContainsFunc(items, func(it item) bool { return it.key == key })
			if _, ok := tab.find(key, "p/"); ok != has {
				t.Fatalf("%q: found %v", key, ok)
			}
		}
	})
}

// TestTableIsSmall: a million entries fit into 64 MiB.
func TestTableIsSmall(t *testing.T) {
	const n = 100_000
	items := make([]item, n)
	for i := range items {
		key := fmt.Sprintf("file-%07d", i)
		items[i] = item{key, &store.Object{
			Key: "p/" + key, Size: int64(i) * 1000, ETag: fmt.Sprintf("\"%032x\"", uint64(i)*0x9e3779b97f4a7c15),
			LastModified: time.Unix(1_700_000_000+int64(i), 0).UTC(),
		}}
	}
	size := newTable(pack(items)).size()
	t.Logf("%.1f bytes an entry", float64(size)/n)
	if size > n*48 {
		t.Errorf("%d bytes for %d entries", size, n)
	}
}

// TestFindMakesOnlyWhatItGives: to find an item among those of its chunk makes its object, its two texts and what the key is read
// into, and nothing for the items in front of it; a whole chunk, as much for each.
func TestFindMakesOnlyWhatItGives(t *testing.T) {
	items := make([]item, chunkItems)
	for i := range items {
		key := fmt.Sprintf("file-%07d", i)
		items[i] = item{key, &store.Object{Key: "p/" + key, Size: int64(i), ETag: fmt.Sprintf("\"%032x\"", i), LastModified: time.Unix(1_700_000_000, 0).UTC()}}
	}
	tab := newTable(pack(items))
	last := items[len(items)-1]
	if made := testing.AllocsPerRun(100, func() {
		if _, ok := tab.find(last.key, "p/"); !ok {
			t.Fatal("not found")
		}
	}); made > 5 {
		t.Errorf("%v allocations to find one of %d items, want 5 at most", made, len(items))
	}
	out := make([]item, 0, len(items))
	if made := testing.AllocsPerRun(100, func() { out = tab.chunks[0].unpack(out[:0], "p/") }); made > 3*chunkItems+2 {
		t.Errorf("%v allocations for %d items, want 3 for each", made, len(items))
	}
}
