package uploader_test

import (
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// TestModelWithFaults is TestModel on a store that fails at random, and with crashes while requests are out. What the bucket
// has in the end is what was acknowledged; conflict copies of our own making would show.
func TestModelWithFaults(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := drawSteps(rt, []string{
			"put", "put", "edit", "remove", "rename", "time", "crash", "headers", "checkpoint",
			"reopen", "write", "flush", "rename", "close", "append", "append", "append", "big", "big", "edit",
		})
		var rules []faultstore.Rule
		for range rapid.IntRange(1, 8).Draw(rt, "faults") {
			rules = append(rules, faultstore.Rule{
				Op:  rapid.SampledFrom([]string{faultstore.AnyOp, faultstore.AnyWrite}).Draw(rt, "ops"),
				Nth: rapid.IntRange(1, 40).Draw(rt, "nth"), Count: rapid.IntRange(1, 6).Draw(rt, "count"),
				Fault: rapid.SampledFrom(faults()).Draw(rt, "fault"),
			})
		}
		var failed any
		var fired []string
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, memstore.Config{MinPart: 1}, func(c *uploader.Config) { c.PartSize, c.PinBase = 16, 24 })
			defer func() { r.stop() }()
			f := faultstore.New(r.mem, rules...)
			defer func() { failed, fired = recover(), f.Fired() }()
			check(t, r.u.Prove(t.Context(), level))
			r.stop()
			r.store = f
			r.open()
			r.ft = panicker{}
			m := &model{
				rig: r, files: map[string]string{}, open: map[string]*uploader.File{}, safe: map[string]string{}, left: map[string]bool{}, faulty: true,
			}
			for _, s := range steps {
				if m.unknown == nil {
					m.do(s)
				}
			}
			for _, n := range slices.Sorted(maps.Keys(m.open)) {
				m.closeName(n)
			}
			f.Clear()
			f.Release()
			time.Sleep(time.Hour)
			m.drain()
			m.settleRename()
			m.compare()
		})
		if failed != nil {
			rt.Fatalf("%v\nof %+v\nfired %q", failed, steps, fired)
		}
	})
}

// settleRename takes over the outcome of a rename that failed with an unknown one: made or not, nothing between.
func (m *model) settleRename() {
	if m.unknown == nil {
		return
	}
	moved := maps.Clone(m.files)
	moved[m.unknown.to] = moved[m.unknown.from]
	delete(moved, m.unknown.from)
	if maps.Equal(m.bucket(), moved) {
		m.files = moved
	}
}
