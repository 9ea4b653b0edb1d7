package disk_test

import (
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/cache/disk"
)

// BenchmarkPut keeps 64 MiB in blocks, as they come from a GET, until all of it is written.
func BenchmarkPut(b *testing.B) {
	cfg := config(b.TempDir())
	cfg.Size = 1 << 30
	d := open(b, cfg)
	o := newObject("o", 64*mib)
	done := make(chan struct{}, o.blocks())
	b.SetBytes(64 * mib)
	round := 0
	for b.Loop() {
		round++
		v := d.Version("o", string(rune(round)), 64*mib)
		for i := range o.blocks() {
			patience := time.Hour
			if !d.Put(disk.Block{Version: v, Index: i, Data: o.unit(i, false), Done: func() { done <- struct{}{} }}, &patience) {
				b.Fatal("not taken")
			}
		}
		for range o.blocks() {
			<-done
		}
	}
	b.StopTimer()
	if st := d.Stats(); st.Dropped > 0 {
		b.Fatalf("%+v", st)
	}
}

// BenchmarkGet reads 64 MiB in runs of a MiB.
func BenchmarkGet(b *testing.B) {
	benchmarkLoad(b, 8, false)
}

// BenchmarkGetPage reads single pages out of blocks.
func BenchmarkGetPage(b *testing.B) {
	benchmarkLoad(b, 1, true)
}

func benchmarkLoad(b *testing.B, units int, page bool) {
	cfg := config(b.TempDir())
	cfg.Size = 1 << 30
	d := open(b, cfg)
	o := newObject("o", 64*mib)
	put(b, d, o)
	bufs := make([][]byte, units)
	for i := range bufs {
		bufs[i] = make([]byte, len(o.unit(0, page)))
	}
	count := int64(len(o.data)) / int64(len(bufs[0]))
	v, i := o.version(d), int64(0)
	b.SetBytes(int64(units * len(bufs[0])))
	b.ReportAllocs()
	for b.Loop() {
		if n := d.Load(v, i, page, bufs, int64(len(o.data))); n != units {
			b.Fatal(n)
		}
		i = (i + int64(units)*7) % count
	}
}
