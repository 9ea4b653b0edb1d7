package uploader_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// busyAbove lets requests take a while each and refuses those that find as many others under way as the bucket can take.
func busyAbove(r *rig, f *faultstore.Store, limit *atomic.Int64) (most *atomic.Int64) {
	var out atomic.Int64
	most = new(atomic.Int64)
	f.SetHooks(faultstore.Hooks{
		Before: func(faultstore.Call) {
			n := out.Add(1)
			if m := most.Load(); n > m {
				most.Store(n)
			}
			time.Sleep(50 * time.Millisecond)
		},
		After: func(faultstore.Call, error) { out.Add(-1) },
	})
	r.mem.SetBusy(func(string, string) bool { return out.Load() > limit.Load() })
	return most
}

// The store takes four requests at a time: the window finds that out, all is stored, little is refused, and when the store
// has recovered the window opens again.
func TestSlowDownNarrowsTheWindow(t *testing.T) {
	faulty(t, func(t *testing.T, r *rig, f *faultstore.Store) {
		var limit atomic.Int64
		limit.Store(4)
		most := busyAbove(r, f, &limit)
		const n = 400
		for i := range n {
			r.put(key(fmt.Sprint(i)), "x")
		}
		time.Sleep(3 * time.Second)
		most.Store(0)
		time.Sleep(time.Second)
		if m := most.Load(); m == 0 || m > 8 {
			t.Errorf("%d requests at a time to a store that takes 4", m)
		}
		if w := r.u.Status().Requests; w.Size > 8 || w.Most != uploader.DefaultRequests || w.Throttled == 0 || w.InFlight == 0 {
			t.Errorf("window %+v", w)
		}
		r.drain()
		throttled := r.u.Status().Requests.Throttled
		t.Logf("%d files in %d requests, %d of them throttled", n, len(f.Calls()), throttled)
		if len(r.bucket()) != n || throttled > n/4 {
			t.Errorf("%d files are stored, %d requests were throttled", len(r.bucket()), throttled)
		}
		limit.Store(1000)
		for i := range 2 * n {
			r.put(key(fmt.Sprint("later ", i)), "x")
		}
		r.drain()
		if w := r.u.Status().Requests; w.Size != uploader.DefaultRequests || w.Throttled != throttled {
			t.Errorf("window %+v after the store has recovered", w)
		}
	})
}

// A reset or an error of the server is not the store's wish for fewer requests.
func TestOtherFailuresLeaveTheWindow(t *testing.T) {
	faulty(t, func(t *testing.T, r *rig, _ *faultstore.Store) {
		for i := range 40 {
			r.put(key(fmt.Sprint(i)), "x")
		}
		r.drain()
		if w := r.u.Status().Requests; w.Size != uploader.DefaultRequests || w.Throttled != 0 {
			t.Errorf("window %+v", w)
		}
	}, faultstore.Rule{Op: op.Put, Nth: 3, Count: 10, Fault: faultstore.Reset()},
		faultstore.Rule{Op: op.Put, Nth: 20, Count: 10, Fault: faultstore.InternalError()})
}

// Retry-After holds within a round, and a long one between rounds.
func TestRetryAfterIsHonoured(t *testing.T) {
	for _, after := range []time.Duration{7 * time.Second, 2 * time.Minute} {
		t.Run(after.String(), func(t *testing.T) {
			faulty(t, func(t *testing.T, r *rig, f *faultstore.Store) {
				var at []time.Time
				f.SetHooks(faultstore.Hooks{Before: func(c faultstore.Call) {
					if c.Op == op.Put {
						at = append(at, time.Now())
					}
				}})
				r.put(key("f"), "x")
				r.drain()
				if len(at) != 3 {
					t.Fatalf("%d attempts", len(at))
				}
				for i, next := range at[1:] {
					if d := next.Sub(at[i]); d < after-after/10 || d > 2*after {
						t.Errorf("attempt %d after %v", i+2, d)
					}
				}
			}, faultstore.Rule{Op: op.Put, Count: 2, Fault: faultstore.RetryAfter(after)})
		})
	}
}

// Those that were refused together do not come together again: delays are anything from none to all of theirs.
func TestThrottledRequestsSpread(t *testing.T) {
	faulty(t, func(t *testing.T, r *rig, f *faultstore.Store) {
		first := map[string]time.Time{}
		var delays [4]int // quarters of the first delay
		f.SetHooks(faultstore.Hooks{Before: func(c faultstore.Call) {
			if c.Op != op.Put {
				return
			}
			began, again := first[c.Key]
			if !again {
				first[c.Key] = time.Now()
				return
			}
			delays[min(3, time.Since(began)/(125*time.Millisecond))]++
		}})
		for i := range 40 {
			r.put(key(fmt.Sprint(i)), "x")
			r.drain()
		}
		for i, n := range delays {
			if n == 0 {
				t.Errorf("no attempt in quarter %d of the delay: %v", i+1, delays)
			}
		}
	}, faultstore.Rule{Op: op.Put, Count: faultstore.Forever, Fault: faultstore.SlowDown(), Name: "first of its key", Where: firstOfKey()})
}

// firstOfKey is true for the first call of each key.
func firstOfKey() func(faultstore.Call) bool {
	seen := map[string]bool{}
	return func(c faultstore.Call) bool {
		first := !seen[c.Key]
		seen[c.Key] = true
		return first
	}
}

// Keys of a batch that were throttled go together again, not one by one.
func TestThrottledDeletesStayTogether(t *testing.T) {
	slow := faultstore.Keys("even", func(k string) bool { return k[len(k)-1]%2 == 0 }, faultstore.SlowDown())
	faulty(t, func(t *testing.T, r *rig, _ *faultstore.Store) {
		for i := range 100 {
			r.mem.PutString(key(fmt.Sprint(i)), "x")
			r.remove(key(fmt.Sprint(i)))
		}
		r.drain()
		r.wantBucket(map[string]string{})
		if c := r.mem.Counts(); c[op.Delete]+c[op.DeleteMany] > 12 { // the last one or two of a level go alone
			t.Errorf("%v", c)
		}
		if n := r.u.Status().Requests.Throttled; n != 1 {
			t.Errorf("%d throttled", n)
		}
	}, faultstore.Rule{Op: op.DeleteMany, Fault: slow})
}
