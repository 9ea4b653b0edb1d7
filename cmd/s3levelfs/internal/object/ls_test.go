package object

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
)

// pagesOf is a store whose listing has so many pages; < 0 is one that never ends.
type pagesOf struct {
	store.Reader
	pages int
	given int
}

func (p *pagesOf) List(context.Context, string, store.ListOptions) iter.Seq2[store.Page, error] {
	return func(yield func(store.Page, error) bool) {
		for p.given = 0; p.given != p.pages; {
			page := store.Page{More: p.given+1 != p.pages}
			for i := range 1000 {
				key := fmt.Sprintf("public/d%06d/f%03d & \"co\".txt", p.given, i)
				page.Objects = append(page.Objects, store.Object{Key: key, Size: 7, ETag: `"x"`, LastModified: time.Unix(1e9, 0)})
			}
			p.given++
			if !yield(page, nil) {
				return
			}
		}
	}
}

// patientWriter refuses what comes after so many lines, and knows when the first one came.
type patientWriter struct {
	from         *pagesOf
	lines, limit int
	firstAfter   int // pages
}

var errEnough = errors.New("enough")

func (w *patientWriter) Write(p []byte) (int, error) {
	if w.lines == 0 {
		w.firstAfter = w.from.given
	}
	if w.lines += bytes.Count(p, []byte("\n")); w.lines > w.limit {
		return 0, errEnough
	}
	return len(p), nil
}

func testPolicy(t *testing.T) *levels.Policy {
	t.Helper()
	policy, err := levels.New(levels.Identity{ID: "us-east-1:11111111-2222-3333-4444-555555555555", Authenticated: true}, levels.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

// TestLsStreams: of a listing without end the first line comes after one page, and the memory does not grow.
func TestLsStreams(t *testing.T) {
	policy := testPolicy(t)
	for _, asJSON := range []bool{false, true} {
		from := &pagesOf{pages: -1}
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		w := &patientWriter{from: from, limit: 300_000}
		err := printListing(t.Context(), from, policy, lsRequest{path: "public", prefix: "public/", json: asJSON}, w)
		runtime.GC()
		runtime.ReadMemStats(&after)
		if !errors.Is(err, errEnough) || w.firstAfter != 1 {
			t.Errorf("json %v: first output after %d pages, %v", asJSON, w.firstAfter, err)
		}
		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 4<<20 {
			t.Errorf("json %v: %d bytes more in use after %d pages", asJSON, grown, from.given)
		}
	}
}

// TestLsJSON: the pages make one list.
func TestLsJSON(t *testing.T) {
	policy := testPolicy(t)
	for pages := range 3 {
		var out bytes.Buffer
		what := lsRequest{path: "public", prefix: "public/", json: true}
		if err := printListing(t.Context(), &pagesOf{pages: pages}, policy, what, &out); err != nil {
			t.Fatal(err)
		}
		var all []listed
		if err := json.Unmarshal(out.Bytes(), &all); err != nil || len(all) != 1000*pages {
			t.Errorf("%d objects of %d pages, %v", len(all), pages, err)
		}
		if pages > 0 && all[1].Key != "d000000/f001 & \"co\".txt" {
			t.Errorf("%q", all[1].Key)
		}
		var want bytes.Buffer
		if err := cmdline.PrintJSON(&want, append([]listed{}, all...)); err != nil || want.String() != out.String() {
			t.Errorf("not as other lists are printed: %.300s", out.String())
		}
	}
}
