package feed_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/s3levelfs/s3levelfs/internal/feed"
)

func all(feed.Event) bool { return true }

// kinds are those of events, with paths and counts.
func kinds(events []feed.Event) (out []string) {
	for _, e := range events {
		text := string(e.Kind)
		if e.Path != "" {
			text += " " + e.Path
		}
		if e.Count > 0 {
			text += fmt.Sprint(" ", e.Count)
		}
		out = append(out, text)
	}
	return out
}

func wantKinds(t *testing.T, got []feed.Event, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, kinds(got)); diff != "" {
		t.Error(diff)
	}
}

func tell(f *feed.Feed, paths ...string) {
	for _, p := range paths {
		f.Tell(feed.Event{Kind: feed.Upload, Path: p})
	}
}

func TestListenersHearWhatTheyWant(t *testing.T) {
	f := feed.New()
	tell(f, "before")
	every, _ := f.Listen(t.Context(), all)
	some, _ := f.Listen(t.Context(), func(e feed.Event) bool { return strings.HasPrefix(e.Path, "b") })
	tell(f, "a", "b", "c")
	f.Close()
	tell(f, "after")
	late, _ := f.Listen(t.Context(), all)
	var got [3][]feed.Event
	for i, from := range []func(func(feed.Event) bool){every, some, late} {
		for e := range from {
			if e.At.IsZero() {
				t.Error("an event without a time")
			}
			got[i] = append(got[i], e)
		}
	}
	wantKinds(t, got[0], "watching", "upload a", "upload b", "upload c", "upload after", "end")
	wantKinds(t, got[1], "watching", "upload b", "end")
	wantKinds(t, got[2], "watching", "end")
}

// Events come while they are waited for; the end of the context ends the waiting and frees the place.
func TestListenerWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := feed.New()
		ctx, cancel := context.WithCancel(t.Context())
		events, _ := f.Listen(ctx, all)
		var got []feed.Event
		done := make(chan struct{})
		go func() {
			defer close(done)
			for e := range events {
				got = append(got, e)
			}
		}()
		synctest.Wait()
		time.Sleep(time.Hour)
		tell(f, "a")
		synctest.Wait()
		cancel()
		<-done
		tell(f, "b")
		wantKinds(t, got, "watching", "upload a")
		if d := got[1].At.Sub(got[0].At); d != time.Hour {
			t.Error(d)
		}
	})
}

// Who reads slowly loses what comes while his queue is full, is told how many and where, and holds nobody up.
func TestSlowListenerIsToldWhatItLost(t *testing.T) {
	f := feed.New()
	events, _ := f.Listen(t.Context(), all)
	for i := range feed.MaxQueued + 10 {
		tell(f, fmt.Sprint(i))
	}
	var got []feed.Event
	for e := range events {
		got = append(got, e)
		if len(got) == 3 { // there is room again, for the gap and one more
			tell(f, "again")
		}
		if e.Path == "again" {
			for i := range feed.MaxQueued + 5 {
				tell(f, fmt.Sprint("x", i))
			}
			f.Close()
		}
	}
	if n := len(got); n != 2*feed.MaxQueued+4 {
		t.Fatalf("%d events", n)
	}
	wantKinds(t, got[:3], "watching", "upload 0", "upload 1")
	wantKinds(t, got[feed.MaxQueued-1:feed.MaxQueued+2], fmt.Sprint("upload ", feed.MaxQueued-2), "lost 11", "upload again")
	wantKinds(t, got[len(got)-2:], "lost 5", "end")
}

// Each event is either heard or counted as lost, in order.
func TestNothingIsLostInSilence(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := feed.New()
		bursts := rapid.SliceOfN(rapid.IntRange(0, 1500), 1, 5).Draw(rt, "bursts")
		reads := rapid.IntRange(1, 700).Draw(rt, "reads")
		events, _ := f.Listen(t.Context(), all)
		told, heard, last := 0, 0, -1
		n := 0
		for e := range events {
			switch e.Kind {
			case feed.Upload:
				if e.Count <= last {
					rt.Fatalf("%d after %d", e.Count, last)
				}
				last = e.Count
				heard++
			case feed.Lost:
				heard += e.Count
			default:
			}
			n++
			for ; len(bursts) > 0 && (n%reads == 0 || heard == told); n++ {
				for range bursts[0] {
					f.Tell(feed.Event{Kind: feed.Upload, Count: told})
					told++
				}
				bursts = bursts[1:]
			}
			if heard == told && e.Kind != feed.End {
				f.Close()
			}
		}
		if heard != told {
			rt.Fatalf("%d of %d", heard, told)
		}
	})
}

// There are so many listeners at most; who has gone makes room, whether he has listened or not.
func TestListenersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := feed.New()
		ctx, cancel := context.WithCancel(t.Context())
		for range feed.MaxListeners {
			if _, ok := f.Listen(ctx, all); !ok {
				t.Fatal("no room")
			}
		}
		if _, ok := f.Listen(t.Context(), all); ok {
			t.Error("one too many")
		}
		if !f.Heard() {
			t.Error("nobody listens")
		}
		cancel()
		synctest.Wait()
		if f.Heard() {
			t.Error("somebody listens who has gone")
		}
		events, ok := f.Listen(t.Context(), all)
		if !ok {
			t.Fatal("no room after they have gone")
		}
		for range events {
			break
		}
	})
}

func TestEventsAsJSON(t *testing.T) {
	size := int64(0)
	text, err := json.Marshal(feed.Event{At: time.Date(2030, 1, 2, 3, 4, 5, 6000, time.UTC), Kind: feed.Upload, Path: "public/a", Key: "p/a", Size: &size, ETag: `"x"`})
	if want := `{"time":"2030-01-02T03:04:05.000006Z","event":"upload","path":"public/a","key":"p/a","size":0,"eTag":"\"x\""}`; err != nil || string(text) != want {
		t.Errorf("%s, want %s", text, want)
	}
}
