package tracking_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/s3levelfs/s3levelfs/internal/tracking"
)

// The buffer is a queue that refuses what comes while it is full, and never gives anything twice or out of order.
func TestBufferIsABoundedQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 20).Draw(t, "limit")
		b, next := tracking.NewBuffer(limit), int64(0)
		var model []tracking.Event
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				next++
				e := tracking.Download(next, nil)
				room := len(model) < limit
				if b.Add(e) != room {
					t.Fatalf("room %v with %d of %d", !room, len(model), limit)
				}
				if room {
					model = append(model, e)
				}
			},
			"take": func(t *rapid.T) {
				n := rapid.IntRange(0, limit+2).Draw(t, "n")
				got := b.Take(n)
				n = min(n, len(model))
				if len(got) != n {
					t.Fatalf("%d events, want %d", len(got), n)
				}
				for i, e := range got {
					if e != model[i] {
						t.Fatalf("event %d is %v, want %v", i, e, model[i])
					}
				}
				model = model[n:]
			},
		})
	})
}
