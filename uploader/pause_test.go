package uploader_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// times notes when calls are made.
type times struct {
	mu sync.Mutex
	at []time.Time
}

func (c *times) note(faultstore.Call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = append(c.at, time.Now())
}

// bursts are the numbers of calls with less than a tenth of a second between them, and when they began, from the first on.
func (c *times) bursts() (sizes []int, at []time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, t := range c.at {
		if i == 0 || t.Sub(c.at[i-1]) > 100*time.Millisecond {
			sizes, at = append(sizes, 0), append(at, t.Sub(c.at[0]))
		}
		sizes[len(sizes)-1]++
	}
	return sizes, at
}

// When the store does not accept the credentials, what is under way finds out together; from then on one request at a time asks, with
// growing pauses, whatever waits: files, files in parts, removals.
func TestPauseAsksWithOneRequest(t *testing.T) {
	faultyIn(t, func(t *testing.T, r *rig, f *faultstore.Store) {
		for i := range 40 {
			r.mem.PutString(key(fmt.Sprint("old/", i)), "x")
		}
		var calls times
		f.SetHooks(faultstore.Hooks{Before: func(c faultstore.Call) {
			calls.note(c)
			time.Sleep(30 * time.Millisecond)
		}})
		f.Add(faultstore.Rule{Count: faultstore.Forever, Fault: faultstore.Expired()})
		for i := range 100 {
			r.put(key(fmt.Sprint(i)), "x")
			r.put(key(fmt.Sprint("large/", i)), text("l", 3*part))
		}
		for i := range 40 {
			r.remove(key(fmt.Sprint("old/", i)))
		}
		time.Sleep(10 * time.Minute)
		sizes, at := calls.bursts()
		t.Logf("bursts of %v requests after %v", sizes, at)
		if sizes[0] != uploader.DefaultRequests || len(sizes) < 10 || slices.ContainsFunc(sizes[1:], func(n int) bool { return n != 1 }) {
			t.Error("more than one request asks")
		}
		for i, want := 1, time.Second; i < len(at); i, want = i+1, min(2*want, time.Minute) {
			if d := at[i] - at[i-1]; d < want || d > want+200*time.Millisecond {
				t.Errorf("pause %d is %v, want %v", i, d, want)
			}
		}
		s := r.u.Status()
		if s.Paused == nil || !errors.Is(s.Paused, store.ErrExpired) || s.Failed != 0 || s.PausedUntil.Before(time.Now()) ||
			!strings.HasPrefix(s.Paused.Error(), "the store does not accept the credentials: ") {
			t.Errorf("%+v, until %v", s.Paused, s.PausedUntil)
		}
		if slices.ContainsFunc(s.Items, func(i uploader.Item) bool { return i.Attempts > 0 }) {
			t.Error("a pause counts as a failure")
		}
		f.Clear()
		time.Sleep(time.Minute)
		r.drain()
		if n := len(r.bucket()); n != 200 {
			t.Errorf("%d files", n)
		}
		if s := r.u.Status(); s.Paused != nil {
			t.Errorf("still paused: %v", s.Paused)
		}
	})
}

// An answer to what was sent before the pause does not end it.
func TestLateAnswerDoesNotEndAPause(t *testing.T) {
	faulty(t, func(t *testing.T, r *rig, f *faultstore.Store) {
		f.Add(faultstore.Rule{Op: op.Put, Key: key("early"), Fault: faultstore.Do("late", func() { time.Sleep(700 * time.Millisecond) })},
			faultstore.Rule{Op: op.Put, Count: 3, Fault: faultstore.Expired()})
		r.put(key("early"), "x")
		time.Sleep(100 * time.Millisecond)
		r.put(key("f"), "x")
		time.Sleep(800 * time.Millisecond)
		if s := r.u.Status(); s.Paused == nil || len(r.bucket()) != 1 {
			t.Errorf("%v, bucket %v", s.Paused, r.bucket())
		}
		time.Sleep(time.Minute)
		r.drain()
		r.wantBucket(map[string]string{key("early"): "x", key("f"): "x"})
	})
}

// Whoever knows that the credentials are accepted again ends the pause, but asks once a second at most.
func TestRenewedCredentialsEndAPause(t *testing.T) {
	for name, renew := range map[string]func(*uploader.Uploader){
		"renewed": (*uploader.Uploader).Renewed, "retry": (*uploader.Uploader).Retry,
		"retry of keys": func(u *uploader.Uploader) { u.RetryKeys() },
	} {
		t.Run(name, func(t *testing.T) {
			faulty(t, func(t *testing.T, r *rig, f *faultstore.Store) {
				for i := range 50 {
					r.put(key(fmt.Sprint(i)), "x")
				}
				time.Sleep(10 * time.Minute)
				n := len(f.Calls())
				for range 100 { // it is wrong about that
					renew(r.u)
					time.Sleep(10 * time.Millisecond)
				}
				synctest.Wait()
				if more := len(f.Calls()) - n; more == 0 || name == "renewed" && more > 2 {
					t.Errorf("%d requests ask", more)
				}
				time.Sleep(5 * time.Minute)
				f.Clear()
				renew(r.u)
				time.Sleep(1100 * time.Millisecond)
				if n := len(r.bucket()); n != 50 {
					t.Errorf("%d files are stored", n)
				}
			}, faultstore.Rule{Count: faultstore.Forever, Fault: faultstore.Expired()})
		})
	}
}

// Credentials that are renewed while a request is out that still has the old ones are tried a second after its refusal, not at the
// end of the pause that it would begin.
func TestRenewedWhileTheQuestionIsOut(t *testing.T) {
	for name, renew := range map[string]func(*uploader.Uploader){"renewed": (*uploader.Uploader).Renewed, "retry": (*uploader.Uploader).Retry} {
		t.Run(name, func(t *testing.T) {
			faulty(t, func(t *testing.T, r *rig, f *faultstore.Store) {
				for i := range 50 {
					r.put(key(fmt.Sprint(i)), "x")
				}
				time.Sleep(10 * time.Minute)
				var once sync.Once
				asked := make(chan struct{})
				f.SetHooks(faultstore.Hooks{Before: func(faultstore.Call) { // it will be refused
					once.Do(func() {
						f.Clear()
						renew(r.u)
						close(asked)
					})
				}})
				<-asked
				time.Sleep(1100 * time.Millisecond)
				if n := len(r.bucket()); n != 50 {
					t.Errorf("%d files are stored", n)
				}
			}, faultstore.Rule{Count: faultstore.Forever, Fault: faultstore.Expired()})
		})
	}
}

// A clock that is wrong is called so.
func TestPauseForTheClock(t *testing.T) {
	faulty(t, func(t *testing.T, r *rig, _ *faultstore.Store) {
		r.put(key("f"), "x")
		time.Sleep(100 * time.Millisecond)
		if s := r.u.Status(); s.Paused == nil || !strings.HasPrefix(s.Paused.Error(), "the store does not accept the time of this machine's clock: ") {
			t.Errorf("%v", s.Paused)
		}
	}, faultstore.Rule{Op: op.Put, Count: faultstore.Forever, Fault: faultstore.Answer(403, "RequestTimeTooSkewed", store.ErrClockSkew)})
}

// What asks and is refused for another reason, or has no answer, leaves the question to the next one.
func TestPauseOutlivesAnotherFailure(t *testing.T) {
	faulty(t, func(t *testing.T, r *rig, f *faultstore.Store) {
		f.Add(faultstore.Rule{Op: op.Put, Key: key("a"), Count: 8, Fault: faultstore.InternalError()})
		r.put(key("a"), "x")
		r.put(key("b"), "x")
		time.Sleep(time.Hour)
		r.drain()
		r.wantBucket(map[string]string{key("a"): "x", key("b"): "x"})
		if s := r.u.Status(); s.Paused != nil {
			t.Errorf("%v", s.Paused)
		}
	}, faultstore.Rule{Op: op.Put, Count: 2, Fault: faultstore.BadCredentials()})
}

// Who waits for the bucket is told of the pause, whatever the place of his file in the queue.
func TestWhoWaitsIsToldOfAPause(t *testing.T) {
	faultyIn(t, func(t *testing.T, r *rig, f *faultstore.Store) {
		f.Add(faultstore.Rule{Count: faultstore.Forever, Fault: faultstore.Expired()})
		var wg sync.WaitGroup
		for i := range 60 {
			wg.Go(func() {
				h := r.create(key(fmt.Sprint(i)))
				r.writeAt(h, "x", 0)
				began := time.Now()
				if err := h.Flush(t.Context()); !errors.Is(err, store.ErrExpired) || time.Since(began) > 2*time.Second {
					t.Errorf("flush: %v after %v", err, time.Since(began))
				}
				check(t, h.Release(t.Context(), true))
			})
		}
		wg.Wait()
		r.mem.PutString(key("old"), "x")
		began := time.Now()
		err := r.u.Rename(t.Context(), key("old"), key("new"), r.stored(key("old")), absent(), false)
		if !errors.Is(err, store.ErrExpired) || time.Since(began) > time.Minute {
			t.Errorf("rename: %v after %v", err, time.Since(began))
		}
		f.Clear()
		r.drain()
		if n := len(r.bucket()); n != 61 || r.bucket()[key("old")] != "x" {
			t.Errorf("%d files", n)
		}
	}, func(c *uploader.Config) { c.CloseUpload = true })
}
