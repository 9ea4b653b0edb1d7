package uploader_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/op"
)

// The dispatcher looks at each operation a few times until it is done, however many wait, of whatever kind, for whatever.
func TestDispatcherLooksSeldom(t *testing.T) {
	const n = 1000
	for name, tt := range map[string]struct {
		data  string
		rules []faultstore.Rule
		most  int // looks at one operation
	}{
		"small":          {"x", []faultstore.Rule{slow(op.Put, 10*time.Millisecond)}, 2},
		"large":          {text("x", 2*part), []faultstore.Rule{slow(op.UploadPart, 10*time.Millisecond)}, 3},
		"small, failing": {"x", []faultstore.Rule{{Op: op.Put, Count: 4 * n, Fault: faultstore.Reset()}, slow(op.Put, 10*time.Millisecond)}, 8},
		"large, failing": {text("x", 2*part), []faultstore.Rule{{Op: op.Create, Count: 4 * n, Fault: faultstore.Refused()}}, 16},
	} {
		t.Run(name, func(t *testing.T) {
			faultyIn(t, func(t *testing.T, r *rig, f *faultstore.Store) {
				f.Add(tt.rules...)
				for i := range n {
					r.put(key(fmt.Sprint(i)), tt.data)
				}
				r.drain()
				picks := r.u.Picks()
				t.Logf("%d looks at %d operations", picks, n)
				if picks > tt.most*n {
					t.Error("too many")
				}
			})
		})
	}
}

// BenchmarkSchedule is the cost of one small file or one file in parts while 100,000 more are ready.
func BenchmarkSchedule(b *testing.B) {
	for name, size := range map[string]int{"small": 1, "large": 2 * part} {
		b.Run(name, func(b *testing.B) {
			limits := memstore.New(memstore.Config{}).Limits()
			limits.MinPart = 1
			r := newRig(b, memstore.Config{Limits: limits})
			defer func() { r.stop() }()
			r.stop()
			f := faultstore.New(r.mem)
			r.store, r.config.PartSize = f, part
			r.open()
			check(b, r.u.Prove(b.Context(), level))
			const ready = 100_000
			f.Add(faultstore.Rule{Op: faultstore.AnyWrite, Count: faultstore.Forever, Fault: faultstore.Stall()})
			data := text("x", size)
			for i := range ready + b.N {
				r.put(key(fmt.Sprint(i)), data)
			}
			f.Clear()
			b.ResetTimer()
			f.Release()
			for r.u.Operations() > ready {
				time.Sleep(100 * time.Microsecond)
			}
		})
	}
}
