package uploader_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// circle is one run of renames in a circle.
type circle struct {
	*rig

	faults *faultstore.Store
	open   []*uploader.File
	closed map[string]string // what each name has to have, as far as it was closed
	now    map[string]string // what it shows
}

// make makes a file in one of the states that a rename meets.
func (c *circle) make(name, kind string) {
	k := key(name)
	switch kind {
	case "stored", "overwritten", "edited":
		c.mem.PutString(k, "stored "+name)
		c.closed[name] = "stored " + name
	}
	c.now[name] = c.closed[name]
	switch kind {
	case "pending", "overwritten":
		c.put(k, "closed "+name)
		c.closed[name] = "closed " + name
		c.now[name] = c.closed[name]
	case "open", "edited":
		f := c.edit(k)
		c.writeAt(f, "opened", 0)
		c.open = append(c.open, f)
		c.now[name] = patch(c.now[name], "opened", 0)
	}
}

// rename does one step; of a crash in the middle of it the outcome is unknown. It tells whether the program goes on.
func (c *circle) rename(from, to string, crash bool) bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if crash {
		c.faults.Add(faultstore.Rule{Op: op.Copy, Fault: faultstore.Stall(), Count: 1})
	}
	done := make(chan error, 1)
	go func() { done <- c.u.Rename(ctx, key(from), key(to), c.stored(key(from)), c.stored(key(to)), false) }()
	synctest.Wait()
	if crash {
		c.crash()
		c.faults.Clear()
		c.faults.Release()
	}
	err := <-done
	if err == nil {
		for _, m := range []map[string]string{c.closed, c.now} {
			if v, ok := m[from]; ok {
				m[to] = v
			} else {
				delete(m, to)
			}
			delete(m, from)
		}
	}
	return err == nil || crash
}

// TestRenamesInACircle renames files of all states in circles, with a crash at any point: everything closed is in the
// bucket in the end, nothing waits for itself, and each name has its file, unless the crash came in the middle of a rename.
func TestRenamesInACircle(t *testing.T) {
	kinds := []string{"stored", "pending", "overwritten", "open", "edited"}
	steps := [][2]string{{"a", "t"}, {"b", "a"}, {"t", "b"}}
	for _, a := range kinds {
		for _, b := range kinds {
			for crash := -1; crash <= 2*len(steps); crash++ {
				for _, down := range []bool{false, true} {
					t.Run(fmt.Sprint(a, "-", b, "-", crash, "-", down), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) { runCircle(t, a, b, steps, crash, down) })
					})
				}
			}
		}
	}
}

// runCircle crashes before step crash/2, or in the middle of it where crash is odd.
func runCircle(t *testing.T, a, b string, steps [][2]string, crash int, down bool) {
	r := newRig(t, memstore.Config{})
	defer func() { r.stop() }()
	f := faultstore.New(r.mem)
	r.stop()
	r.store = f
	r.open()
	check(t, r.u.Prove(t.Context(), level))
	c := &circle{rig: r, faults: f, closed: map[string]string{}, now: map[string]string{}}
	outage := faultstore.Rule{Op: op.Put, Fault: faultstore.Refused(), Count: faultstore.Forever}
	if down {
		f.Add(outage)
	}
	c.make("a", a)
	c.make("b", b)
	kept, crashed, middle := slices.Sorted(maps.Values(c.closed)), false, false
	for i, s := range steps {
		if crash == 2*i {
			c.crash()
			crashed = true
		}
		middle = middle || crash == 2*i+1
		if !c.rename(s[0], s[1], crash == 2*i+1) {
			break
		}
		if down {
			f.Add(outage)
		}
	}
	if crash == 2*len(steps) {
		c.crash()
		crashed = true
	}
	// Two stored versions can not change places by copies: they stay where they are.
	swap := a == "edited" && b == "edited"
	f.Clear()
	for _, h := range c.open {
		if !crashed && !middle {
			c.close(h)
		}
	}
	time.Sleep(time.Hour)
	c.drain()
	got := slices.Sorted(maps.Values(c.bucket()))
	shown := c.now
	if crashed {
		shown = c.closed
	}
	switch {
	case !middle && !(swap && crashed):
		want := map[string]string{}
		for k, v := range shown {
			want[key(k)] = v
		}
		c.wantBucket(want)
	case !slices.Equal(got, kept):
		t.Errorf("bucket %q, want %q", c.bucket(), kept)
	}
	if s := c.u.Status(); len(s.Items) > 0 {
		t.Errorf("pending %+v", s.Items)
	}
}
