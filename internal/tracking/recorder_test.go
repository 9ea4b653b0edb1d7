package tracking_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"pgregory.net/rapid"

	"github.com/s3levelfs/s3levelfs/internal/tracking"
)

// sink takes batches, by a rule where there is one.
type sink struct {
	rule func(ctx context.Context, call int, batch []tracking.Event) tracking.Outcome // nil: takes all

	mu     sync.Mutex
	calls  int
	sizes  []int // of the batches
	when   []time.Duration
	began  time.Time
	taken  []tracking.Event
	closed int
}

func (s *sink) Send(ctx context.Context, batch []tracking.Event) tracking.Outcome {
	s.mu.Lock()
	if s.calls++; s.began.IsZero() {
		s.began = time.Now().Truncate(time.Hour) // the bubble's begin
	}
	call := s.calls
	s.sizes = append(s.sizes, len(batch))
	s.when = append(s.when, time.Since(s.began))
	s.mu.Unlock()
	o := tracking.Outcome{}
	if s.rule != nil {
		o = s.rule(ctx, call, batch)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken = append(s.taken, batch[:len(batch)-len(o.Again)-o.Refused]...)
	return o
}

func (s *sink) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed++
	return nil
}

func (s *sink) events() []tracking.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken
}

func (s *sink) check(t *testing.T, sizes []int, when []time.Duration) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if diff := cmp.Diff(sizes, s.sizes); diff != "" {
		t.Error("batches", diff)
	}
	if diff := cmp.Diff(when, s.when); diff != "" {
		t.Error("times", diff)
	}
}

func bubble(t *testing.T, s *sink, test func(*tracking.Recorder)) *observer.ObservedLogs {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	synctest.Test(t, func(*testing.T) {
		r := tracking.New(s, zap.New(core))
		test(r)
		r.Close()
		if s.closed != 1 {
			t.Errorf("the sink was closed %d times", s.closed)
		}
	})
	return logs
}

func track(r *tracking.Recorder, n int) {
	for range n {
		r.Track(tracking.Of(tracking.Put, nil))
	}
}

func wantStats(t *testing.T, r *tracking.Recorder, want tracking.Stats) {
	t.Helper()
	if diff := cmp.Diff(want, r.Stats()); diff != "" {
		t.Error(diff)
	}
}

// An event is sent after 5 s, a batch as soon as there are 100.
func TestBatches(t *testing.T) {
	s := &sink{rule: func(_ context.Context, call int, _ []tracking.Event) tracking.Outcome {
		if call == 2 {
			time.Sleep(time.Second) // so that what is tracked at once is there when the next batch is made
		}
		return tracking.Outcome{}
	}}
	bubble(t, s, func(r *tracking.Recorder) {
		track(r, 3)
		time.Sleep(4 * time.Second)
		track(r, 1)
		time.Sleep(2 * time.Second) // at 6 s
		track(r, 250)
		synctest.Wait()
		wantStats(t, r, tracking.Stats{Sent: 4, Waiting: 250})
		time.Sleep(time.Second)
		synctest.Wait()
		track(r, 1)
		wantStats(t, r, tracking.Stats{Sent: 254, Waiting: 1})
	})
	s.check(t, []int{4, 100, 100, 50, 1}, []time.Duration{5 * time.Second, 6 * time.Second, 7 * time.Second, 7 * time.Second, 7 * time.Second})
}

// What comes while the sink hangs is held up to 1,000 events, then lost and counted; nobody waits.
func TestBufferIsBoundedAndNeverBlocks(t *testing.T) {
	s := &sink{rule: func(ctx context.Context, call int, batch []tracking.Event) tracking.Outcome {
		if call == 1 {
			<-ctx.Done()
			return tracking.Outcome{Again: batch, Err: ctx.Err()}
		}
		return tracking.Outcome{}
	}}
	logs := bubble(t, s, func(r *tracking.Recorder) {
		track(r, 100)
		synctest.Wait() // the sink has them, and hangs
		began := time.Now()
		track(r, 1500)
		if d := time.Since(began); d != 0 {
			t.Errorf("tracking took %v", d)
		}
		wantStats(t, r, tracking.Stats{Lost: 500, Waiting: 1100})
		time.Sleep(tracking.SendTimeout + time.Second)
		synctest.Wait()
		wantStats(t, r, tracking.Stats{Sent: 1100, Lost: 500, LastError: "context deadline exceeded"})
	})
	for _, want := range []string{
		"tracking: events are lost: the sink does not take them as fast as they come", "tracking: the sink does not take events",
		"tracking: the sink takes events again", "tracking: there is room again", "tracking ended with events that nobody has taken",
	} {
		if n := logs.FilterMessage(want).Len(); n != 1 {
			t.Errorf("%d times in the log: %s", n, want)
		}
	}
}

// Only what was not taken is sent again, later and later; what is refused for good is counted.
func TestPartialFailuresAreSentAgain(t *testing.T) {
	why := errors.New("too many")
	s := &sink{rule: func(_ context.Context, call int, batch []tracking.Event) tracking.Outcome {
		switch call {
		case 1:
			return tracking.Outcome{Again: batch[6:9], Refused: 1, Err: why}
		case 2:
			return tracking.Outcome{Again: batch, Err: why}
		case 3:
			return tracking.Outcome{Again: batch[1:], Err: why}
		}
		return tracking.Outcome{}
	}}
	logs := bubble(t, s, func(r *tracking.Recorder) {
		track(r, 10)
		time.Sleep(13 * time.Second)
		synctest.Wait()
		wantStats(t, r, tracking.Stats{Sent: 9, Refused: 1, LastError: "too many"})
	})
	s.check(t, []int{10, 3, 3, 2}, []time.Duration{5 * time.Second, 6 * time.Second, 8 * time.Second, 12 * time.Second})
	if n := logs.FilterMessage("tracking: the sink does not take events").Len(); n != 1 {
		t.Errorf("the failure is logged %d times", n)
	}
}

// The end takes at most DrainTime, whatever the sink does; what is left is counted.
func TestCloseIsBounded(t *testing.T) {
	for name, rule := range map[string]func(context.Context, int, []tracking.Event) tracking.Outcome{
		"hangs": func(ctx context.Context, _ int, batch []tracking.Event) tracking.Outcome {
			<-ctx.Done()
			return tracking.Outcome{Again: batch, Err: ctx.Err()}
		},
		"refuses": func(_ context.Context, _ int, batch []tracking.Event) tracking.Outcome {
			return tracking.Outcome{Again: batch, Err: errors.New("down")}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := tracking.New(&sink{rule: rule}, zap.NewNop())
				track(r, 250)
				synctest.Wait()
				began := time.Now()
				r.Close()
				if d := time.Since(began); d != tracking.DrainTime {
					t.Errorf("the end took %v", d)
				}
				track(r, 1)
				if s := r.Stats(); s.Lost != 251 || s.Waiting != 0 || s.Sent != 0 {
					t.Errorf("%+v", s)
				}
				r.Close()
			})
		})
	}
}

// A sink that does not end with its context, as a pipe that nobody reads or a file on a server that is gone, keeps nobody from unmounting: it is
// left alone, with what it has.
func TestCloseLeavesASinkThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := make(chan struct{})
		s := &sink{rule: func(_ context.Context, _ int, batch []tracking.Event) tracking.Outcome {
			<-gone
			return tracking.Outcome{}
		}}
		core, logs := observer.New(zap.WarnLevel)
		r := tracking.New(s, zap.New(core))
		track(r, 250)
		synctest.Wait()
		began := time.Now()
		closed := make(chan struct{})
		go func() { defer close(closed); r.Close() }()
		select {
		case <-closed:
		case <-time.After(time.Hour):
			t.Error("the end waits for the sink")
		}
		if d := time.Since(began); d > tracking.DrainTime+time.Second {
			t.Errorf("the end took %v", d)
		}
		wantStats(t, r, tracking.Stats{Lost: 250})
		if n := logs.FilterMessage("tracking: the sink hangs and is left alone").Len(); n != 1 {
			t.Errorf("in the log: %v", logs.All())
		}
		close(gone)
		synctest.Wait()
		<-closed
		wantStats(t, r, tracking.Stats{Lost: 250})
		if s.closed != 0 {
			t.Error("the sink was closed under its Send")
		}
	})
}

// A sink that comes back while the end waits for it gets what there is.
func TestCloseSendsWhatWaits(t *testing.T) {
	var up atomic.Bool
	s := &sink{rule: func(_ context.Context, _ int, batch []tracking.Event) tracking.Outcome {
		if !up.Load() {
			return tracking.Outcome{Again: batch, Err: errors.New("down")}
		}
		return tracking.Outcome{}
	}}
	synctest.Test(t, func(t *testing.T) {
		r := tracking.New(s, zap.NewNop())
		track(r, 3)
		time.Sleep(2 * time.Minute) // it is tried every 30 s by now
		up.Store(true)
		began := time.Now()
		r.Close()
		if d := time.Since(began); d > time.Second {
			t.Errorf("the end took %v", d)
		}
		wantStats(t, r, tracking.Stats{Sent: 3, LastError: "down"})
	})
}

// Whatever the sink does, each event is sent, lost or refused, once.
func TestEveryEventIsCountedOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		outcomes := rapid.SliceOfN(rapid.IntRange(0, 3), 1, 8).Draw(rt, "outcomes")
		bursts := rapid.SliceOfN(rapid.IntRange(0, 400), 1, 6).Draw(rt, "bursts")
		s := &sink{rule: func(_ context.Context, call int, batch []tracking.Event) tracking.Outcome {
			why := errors.New("why")
			switch outcomes[call%len(outcomes)] {
			case 1:
				return tracking.Outcome{Again: batch, Err: why}
			case 2:
				return tracking.Outcome{Again: batch[:len(batch)/2], Refused: len(batch) - len(batch)/2, Err: why}
			case 3:
				return tracking.Outcome{Refused: len(batch), Err: why}
			}
			return tracking.Outcome{}
		}}
		all := int64(0)
		bubble(t, s, func(r *tracking.Recorder) {
			for _, n := range bursts {
				track(r, n)
				all += int64(n)
				time.Sleep(3 * time.Second)
			}
			r.Close()
			got := r.Stats()
			if got.Sent+got.Lost+got.Refused != all || got.Waiting != 0 || got.Sent != int64(len(s.taken)) {
				rt.Fatalf("%d events: %+v, %d taken", all, got, len(s.taken))
			}
		})
	})
}

// Who does not track has no recorder.
func TestNobodyTracks(t *testing.T) {
	var r *tracking.Recorder
	track(r, 1)
	wantStats(t, r, tracking.Stats{})
	r.Close()
}
