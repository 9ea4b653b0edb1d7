package spool_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// TestGenerationsOfARandomWriterStayTidy: a database that is sealed again and again while it is open does not end as a map of
// thousands of small pieces, each of which every record lists, in as many files.
func TestGenerationsOfARandomWriterStayTidy(t *testing.T) {
	const page, pages, perGeneration = 4 << 10, 4000, 300
	dir := fastDir(t)
	s, _ := open(t, config(dir))
	rnd := rand.New(rand.NewPCG(1, 2))
	want := pattern(1, page*pages)
	c := stored(t, s, "g0", want)
	most := 0
	for i := range 40 {
		next := c.Clone(fmt.Sprint("g", i+1))
		for range perGeneration {
			at := rnd.IntN(pages) * page
			p := pattern(byte(rnd.Uint32()), page)
			copy(want[at:], p)
			write(t, next, p, int64(at))
		}
		most = max(most, len(next.Extents()))
		next.Seal()
		c.Release()
		c = next
		check(t, s.Sync(t.Context()))
	}
	same(t, "the last generation", read(t, c, nil), want)
	files := len(storageFiles(t, dir))
	t.Logf("%d extents at most, %d files in the end", most, files)
	if most > 1500 || files > 12 {
		t.Errorf("%d extents, %d files", most, files)
	}

	last := c.Clone("last") // and one that moves pieces and is open when the process dies
	check(t, s.Append(&spool.Record{Type: spool.TypeCreate, Gen: "last", Size: last.Size(), Extents: last.Extents()}))
	for i := range perGeneration {
		at := i * (pages / perGeneration) * page
		p := pattern(byte(i), page)
		copy(want[at:], p)
		write(t, last, p, int64(at))
	}
	check(t, s.Sync(t.Context()), s.Close())
	s, rec := open(t, config(dir))
	if rec.Unsealed["last"] == nil {
		t.Fatalf("not recovered: %+v", rec.Damaged)
	}
	same(t, "what was open", read(t, rec.Unsealed["last"], nil), want)
	check(t, s.Close())
}
