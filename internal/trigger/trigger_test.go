package trigger_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/s3levelfs/s3levelfs/internal/command"
	"github.com/s3levelfs/s3levelfs/internal/trigger"
)

func hex16(n uint64) string { return fmt.Sprintf("%016X", n) }

// fake stands for the programs.
type fake struct {
	run func(ctx context.Context, c trigger.Call) error // nil = succeeds

	mu           sync.Mutex
	calls        []trigger.Call
	running, top int
}

func recorder() (f *fake, calls *[]trigger.Call) {
	f = &fake{}
	return f, &f.calls
}

func (f *fake) config(b trigger.Bucket) trigger.Config {
	return trigger.Config{
		OnUpload: []string{"/up", "x"}, OnDelete: []string{"/del"}, Bucket: b, Timeout: time.Minute, Run: f.call, Log: zap.NewNop(),
	}
}

func (f *fake) call(ctx context.Context, c trigger.Call) error {
	f.mu.Lock()
	f.calls = append(f.calls, c)
	f.running++
	f.top = max(f.top, f.running)
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.running--
	}()
	if f.run == nil {
		return nil
	}
	return f.run(ctx, c)
}

func bubble(t *testing.T, f *fake, change func(*trigger.Config), test func(*trigger.Runner)) *observer.ObservedLogs {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	synctest.Test(t, func(*testing.T) {
		cfg := f.config(trigger.Bucket{Name: "b"})
		cfg.Log = zap.New(core)
		change(&cfg)
		r := trigger.New(cfg)
		test(r)
		r.Close()
	})
	return logs
}

func same(*trigger.Config) {}

func upload(r *trigger.Runner, n int) {
	for i := range n {
		r.Tell(trigger.Event{Name: trigger.Put, Key: fmt.Sprint(i), Path: "public/p", At: time.Now()})
	}
}

func wantStats(t *testing.T, r *trigger.Runner, want trigger.Stats) {
	t.Helper()
	if diff := cmp.Diff(want, r.Stats()); diff != "" {
		t.Error(diff)
	}
}

// Each command hears of its events alone.
func TestWhoHearsOfWhat(t *testing.T) {
	f := &fake{}
	bubble(t, f, same, func(r *trigger.Runner) {
		for _, n := range []trigger.Name{trigger.Put, trigger.Multipart, trigger.Copy, trigger.Delete} {
			r.Tell(trigger.Event{Name: n, Key: "k", Path: "public/k", At: time.Now()})
			synctest.Wait()
		}
		wantStats(t, r, trigger.Stats{Succeeded: 4})
	})
	for i, program := range []string{"/up", "/up", "/up", "/del"} {
		if c := f.calls[i]; c.Args[0] != program || c.Path != "public/k" {
			t.Errorf("call %d: %v", i, c)
		}
	}
	f = &fake{}
	bubble(t, f, func(c *trigger.Config) { c.OnUpload = nil }, func(r *trigger.Runner) {
		upload(r, 3)
		synctest.Wait()
		wantStats(t, r, trigger.Stats{})
	})
	if len(f.calls) != 0 {
		t.Errorf("%v", f.calls)
	}
}

// So many run at once and no more, so many wait and no more; nobody waits for them.
func TestCommandsAreBounded(t *testing.T) {
	f := &fake{run: func(ctx context.Context, _ trigger.Call) error {
		select {
		case <-time.After(30 * time.Second):
		case <-ctx.Done():
		}
		return ctx.Err()
	}}
	logs := bubble(t, f, same, func(r *trigger.Runner) {
		upload(r, trigger.Parallel)
		synctest.Wait()
		began := time.Now()
		upload(r, trigger.MaxQueued+7)
		if d := time.Since(began); d != 0 {
			t.Errorf("it took %v", d)
		}
		wantStats(t, r, trigger.Stats{Running: trigger.Parallel, Waiting: trigger.MaxQueued, Lost: 7})
		time.Sleep(31 * time.Second)
		synctest.Wait()
		wantStats(t, r, trigger.Stats{Succeeded: trigger.Parallel, Running: trigger.Parallel, Waiting: trigger.MaxQueued - trigger.Parallel, Lost: 7})
	})
	if f.top != trigger.Parallel {
		t.Errorf("%d commands at once", f.top)
	}
	if n := logs.FilterMessage("trigger: events are lost: commands take longer than events come").Len(); n != 1 {
		t.Errorf("%d times in the log", n)
	}
}

// A command that takes too long is ended, and the log says why; others go on.
func TestTimeOfACommand(t *testing.T) {
	f := &fake{run: func(ctx context.Context, c trigger.Call) error {
		if c.Args[0] == "/del" {
			return nil
		}
		<-ctx.Done()
		return &command.Failure{Code: -1, Last: "half-way", Err: errors.New("signal: killed")}
	}}
	logs := bubble(t, f, same, func(r *trigger.Runner) {
		upload(r, 1)
		r.Tell(trigger.Event{Name: trigger.Delete, Key: "k", At: time.Now()})
		time.Sleep(59 * time.Second)
		synctest.Wait()
		wantStats(t, r, trigger.Stats{Succeeded: 1, Running: 1})
		time.Sleep(2 * time.Second)
		synctest.Wait()
		wantStats(t, r, trigger.Stats{Succeeded: 1, Failed: 1, LastError: "ended after 1m0s (--trigger-timeout): signal: killed: half-way"})
	})
	all := logs.FilterMessage("trigger: command failed").All()
	if len(all) != 1 || all[0].ContextMap()["exit_code"] != int64(-1) || all[0].ContextMap()["program"] != "/up" {
		t.Errorf("%v", all)
	}
}

// The end gives what there is a while; then it ends it and counts what has not run.
func TestCloseIsBounded(t *testing.T) {
	f := &fake{run: func(ctx context.Context, _ trigger.Call) error {
		<-ctx.Done()
		return errors.New("killed")
	}}
	synctest.Test(t, func(t *testing.T) {
		r := trigger.New(f.config(trigger.Bucket{Name: "b"}))
		upload(r, 20)
		synctest.Wait()
		began := time.Now()
		r.Close()
		if d := time.Since(began); d != trigger.Grace {
			t.Errorf("the end took %v", d)
		}
		upload(r, 1)
		wantStats(t, r, trigger.Stats{Failed: trigger.Parallel, Lost: 21 - trigger.Parallel, LastError: "ended with the mount: killed"})
		r.Close()
	})
	f = &fake{run: func(context.Context, trigger.Call) error { time.Sleep(time.Second); return nil }}
	synctest.Test(t, func(t *testing.T) {
		r := trigger.New(f.config(trigger.Bucket{Name: "b"}))
		upload(r, 20)
		began := time.Now()
		r.Close()
		if d := time.Since(began); d != 20/trigger.Parallel*time.Second {
			t.Errorf("the end took %v", d)
		}
		wantStats(t, r, trigger.Stats{Succeeded: 20})
	})
}

// Who names no command has no runner.
func TestNobodyWants(t *testing.T) {
	var r *trigger.Runner
	upload(r, 1)
	wantStats(t, r, trigger.Stats{})
	r.Close()
}
