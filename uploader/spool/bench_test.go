package spool_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

func BenchmarkAppend(b *testing.B) {
	s, _ := open(b, config(fastDir(b)))
	defer s.Close()
	for b.Loop() {
		check(b, s.Append(&spool.Record{Type: spool.TypeUnlink, Key: "public/a/directory/file.txt", Base: spool.Base{State: spool.Present, ETag: `"0123456789abcdef0123456789abcdef"`, Size: 1}}))
	}
	_, n := s.Usage()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(float64(n)/float64(b.N), "logbytes/op")
}

// BenchmarkSmallFile is the life of a file of 1 KiB: CREATE, bytes, SEAL, COMMIT.
func BenchmarkSmallFile(b *testing.B) {
	s, _ := open(b, config(fastDir(b)))
	defer s.Close()
	data := pattern(1, 1024)
	headers := &store.Headers{ContentType: "text/plain", Metadata: map[string]string{"mtime": "1763936460.123456789", "mode": "33188"}}
	b.SetBytes(1024)
	for i := 0; b.Loop(); i++ {
		gen, key := fmt.Sprintf("GENERATION%012d", i), fmt.Sprintf("public/dir/file-%d", i)
		check(b, s.Append(&spool.Record{Type: spool.TypeCreate, Gen: gen, Key: key}))
		c := s.NewContent(gen, 0)
		write(b, c, data, 0)
		check(b, s.Append(&spool.Record{Type: spool.TypeSeal, Gen: gen, Key: key, Size: 1024, Extents: c.Seal(), Headers: headers}))
		check(b, s.Append(&spool.Record{Type: spool.TypeCommit, Gen: gen, Key: key, ETag: `"e"`}))
		c.Release()
	}
}

func BenchmarkSequentialWrite(b *testing.B) {
	const file = 1 << 30
	for _, block := range []int{128 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dKiB", block>>10), func(b *testing.B) {
			s, _ := open(b, config(fastDir(b)))
			defer s.Close()
			data := pattern(1, block)
			b.SetBytes(file)
			for i := 0; b.Loop(); i++ {
				c := s.NewContent(fmt.Sprint(i), 0)
				for off := int64(0); off < file; off += int64(block) {
					write(b, c, data, off)
				}
				b.StopTimer()
				c.Release()
				check(b, s.Sync(b.Context()))
				b.StartTimer()
			}
		})
	}
}

func BenchmarkSequentialRead(b *testing.B) {
	const file, block = 256 << 20, 128 << 10
	s, _ := open(b, config(fastDir(b)))
	defer s.Close()
	c := s.NewContent("g", 0)
	data := pattern(1, block)
	for off := int64(0); off < file; off += block {
		write(b, c, data, off)
	}
	b.SetBytes(file)
	for b.Loop() {
		for off := int64(0); off < file; off += block {
			if _, err := c.ReadAt(data, off, nil); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkRandomWrite writes 4 KiB anywhere into a delta: its map gets tens of thousands of extents.
func BenchmarkRandomWrite(b *testing.B) {
	const size, block = 1 << 30, 4096
	s, _ := open(b, config(fastDir(b)))
	defer s.Close()
	rnd := rand.New(rand.NewPCG(1, 2))
	data := pattern(1, block)
	c := s.NewContent("g", size)
	b.SetBytes(block)
	for b.Loop() {
		write(b, c, data, rnd.Int64N(size/block)*block)
	}
	b.ReportMetric(float64(len(c.Extents())), "extents")
}
