package memstore_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/memstore"
)

// TestListIsItsDefinition compares listings with a definition that is plain and slow.
func TestListIsItsDefinition(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := memstore.New(memstore.Config{})
		name := rapid.StringMatching(`[ab/-]{0,5}`)
		keys := rapid.SliceOfDistinct(rapid.StringMatching(`[ab/-]{1,6}`), rapid.ID[string]).Draw(rt, "keys")
		for _, k := range keys {
			s.PutString(k, "")
		}
		for _, k := range keys {
			if rapid.IntRange(0, 4).Draw(rt, "remove") == 0 {
				s.Remove(k)
			}
		}
		o := store.ListOptions{
			Delimiter:  rapid.SampledFrom([]string{"", "/", "a/"}).Draw(rt, "delimiter"),
			StartAfter: name.Draw(rt, "start after"),
			PageSize:   rapid.IntRange(0, 4).Draw(rt, "page size"),
		}
		prefix := rapid.StringMatching(`[ab/-]{0,3}`).Draw(rt, "prefix")

		var wantKeys, wantPrefixes []string
		for _, k := range s.Keys() {
			if !strings.HasPrefix(k, prefix) || k <= o.StartAfter {
				continue
			}
			if head, _, found := strings.Cut(k[len(prefix):], o.Delimiter); found && o.Delimiter != "" {
				wantPrefixes = append(wantPrefixes, prefix+head+o.Delimiter)
				continue
			}
			wantKeys = append(wantKeys, k)
		}
		wantPrefixes = slices.Compact(wantPrefixes)

		var gotKeys, gotPrefixes []string
		pages := 0
		for p, err := range s.List(rt.Context(), prefix, o) {
			if err != nil {
				rt.Fatal(err)
			}
			if n := len(p.Objects) + len(p.Prefixes); o.PageSize > 0 && (n > o.PageSize || (p.More && n < o.PageSize)) {
				rt.Errorf("page of %d entries, more %v", n, p.More)
			}
			pages++
			for _, obj := range p.Objects {
				gotKeys = append(gotKeys, obj.Key)
			}
			gotPrefixes = append(gotPrefixes, p.Prefixes...)
		}
		if d := cmp.Diff(wantKeys, gotKeys, cmpopts.EquateEmpty()); d != "" {
			rt.Errorf("keys (-want +got):\n%s", d)
		}
		if d := cmp.Diff(wantPrefixes, gotPrefixes, cmpopts.EquateEmpty()); d != "" {
			rt.Errorf("prefixes (-want +got):\n%s", d)
		}
		if n := s.Counts()["list"]; n != pages || n == 0 {
			rt.Errorf("%d pages took %d requests", pages, n)
		}
	})
}
