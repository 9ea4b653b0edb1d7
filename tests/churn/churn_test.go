package churn

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/store"
)

const churned = 24 // objects

// TestChurn: objects are replaced, removed and made again while programs have them open and mapped, for S3LEVELFS_CHURN (an hour in
// `make soak`). No byte is wrong, no thread hangs, and the daemon has in the end what it had in the beginning.
func TestChurn(t *testing.T) {
	const memory = 64 * mib
	limit := duration(t, "S3LEVELFS_CHURN", 20*time.Second)
	w := newWorld(t, "--metadata-ttl", "1s", "--memory", fmt.Sprint(memory))
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	c := &churn{world: w, t: t}
	for i := range churned {
		must(t, w.put(t.Context(), name(i), version(c.next.Add(1), sizeOf(i))))
	}
	var wg sync.WaitGroup
	for seed := range uint64(2) {
		wg.Go(func() { c.change(ctx, rand.New(rand.NewPCG(seed, 1))) })
	}
	for seed := range uint64(4) {
		wg.Go(func() { c.read(ctx, rand.New(rand.NewPCG(seed, 2))) })
	}
	readers := make([]*reader, 4)
	for i := range readers {
		readers[i] = startReader(t)
		wg.Go(func() { c.hold(ctx, readers[i], rand.New(rand.NewPCG(uint64(i), 3))) })
	}
	early, late := c.watch(ctx, limit, readers)
	wg.Wait()
	for _, r := range readers {
		r.end(t)
	}
	_, peak := w.Memory(t)
	t.Logf("%v: %d changes; %d reads of one version, %d ESTALE, %d absent; %d pages of maps, %d gone",
		limit, c.changes.Load(), c.whole.Load(), c.stale.Load(), c.absent.Load(), c.pages.Load(), c.gone.Load())
	t.Logf("the daemon: %v, later %v, at most %d MiB resident; --memory is %d MiB", early, late, peak/mib, memory/mib)
	if peak > memory+64*mib {
		t.Errorf("%d MiB resident, more than --memory + 64 MiB", peak/mib)
	}
	if late.goroutines > early.goroutines+64 || late.resident > early.resident*5/4+16*mib {
		t.Errorf("grows: %v, later %v", early, late)
	}
	if c.whole.Load() == 0 || c.stale.Load() == 0 || c.pages.Load() == 0 {
		t.Error("one of the outcomes has never come: the churn proves nothing of it")
	}
	within(t, "the daemon is at rest", func() bool { return w.status(t).Goroutines <= early.goroutines })
	w.Unmount(t)
}

// within waits for the end of what is under way in another process.
func within(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("not within a minute: %s", what)
		}
		<-time.After(100 * time.Millisecond)
	}
}

func name(i int) string { return fmt.Sprintf("churn/f%02d", i) }

func sizeOf(i int) int { return []int{8 * kib, 100 * kib, 700 * kib, 2 * mib, 9 * mib}[i%5] }

// churn is what those who change and those who read share.
type churn struct {
	*world

	t    *testing.T
	next atomic.Uint32

	changes, whole, stale, absent, pages, gone atomic.Int64
}

// change replaces and removes objects past the mount.
func (c *churn) change(ctx context.Context, rnd *rand.Rand) {
	for ctx.Err() == nil {
		i := rnd.IntN(churned)
		var err error
		if rnd.IntN(6) == 0 {
			err = c.Foreign.Delete(ctx, "public/"+name(i), store.Cond{})
		} else {
			err = c.put(ctx, name(i), version(c.next.Add(1), sizeOf(i)+8*rnd.IntN(1000)))
		}
		if err != nil && ctx.Err() == nil {
			c.t.Error(err)
		}
		c.changes.Add(1)
		pause(ctx, time.Duration(rnd.IntN(40))*time.Millisecond)
	}
}

// pause lets the others go on: the rate of changes is what the test is about.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// read opens files and reads them to their ends, some after a while.
func (c *churn) read(ctx context.Context, rnd *rand.Rand) {
	for ctx.Err() == nil {
		f, err := os.Open(c.path(name(rnd.IntN(churned))))
		if err == nil {
			_, _, err, wrong := readOn(f, 0)
			c.count(err, wrong)
			pause(ctx, time.Duration(rnd.IntN(100))*time.Millisecond)
			_, _, err, wrong = readOn(f, 0) // what an open file has been, it stays
			c.count(err, wrong)
			must(c.t, f.Close())
			continue
		}
		c.count(err, nil)
	}
}

// count takes an outcome in.
func (c *churn) count(err, wrong error) {
	switch {
	case wrong != nil:
		c.t.Error(wrong)
	case err == nil:
		c.whole.Add(1)
	case errors.Is(err, unix.ESTALE):
		c.stale.Add(1)
	case errors.Is(err, fs.ErrNotExist):
		c.absent.Add(1)
	default:
		c.t.Error(err)
	}
}

// hold has another process map files, and look at them for a while.
func (c *churn) hold(ctx context.Context, r *reader, rnd *rand.Rand) {
	for ctx.Err() == nil {
		first := r.ask(c.t, order{Open: c.path(name(rnd.IntN(churned))), Begin: 4 * kib})
		if first.Errno != 0 || first.Wrong != "" {
			c.count(first.error())
			continue
		}
		for range 5 {
			a := r.ask(c.t, order{Look: true})
			c.pages.Add(int64(a.Pages))
			c.gone.Add(int64(a.Gone))
			if a.Wrong != "" || a.Pages > 0 && a.Version != first.Version {
				c.t.Errorf("a map of version %d: version %d, %s", first.Version, a.Version, a.Wrong)
			}
			pause(ctx, time.Duration(rnd.IntN(200))*time.Millisecond)
		}
	}
}

// error is the answer's errors as the file system's, and the bytes'.
func (a answer) error() (err, wrong error) {
	if a.Wrong != "" {
		return nil, errors.New(a.Wrong)
	}
	if a.Errno != 0 {
		return a.Errno, nil
	}
	return nil, nil
}

// usage is what the daemon has.
type usage struct {
	goroutines int
	resident   int64
}

func (u usage) String() string {
	return fmt.Sprintf("%d goroutines, %d MiB resident", u.goroutines, u.resident/mib)
}

// watch looks at the daemon and at threads until the end. early is the most of the second quarter, late the most of the last.
func (c *churn) watch(ctx context.Context, limit time.Duration, readers []*reader) (early, late usage) {
	began := time.Now()
	stuck := map[string]int{}
	processes := []int{os.Getpid(), c.PID()}
	for _, r := range readers {
		processes = append(processes, r.cmd.Process.Pid)
	}
	for ctx.Err() == nil {
		resident, _ := c.Memory(c.t)
		now := usage{c.status(c.t).Goroutines, resident}
		switch share := time.Since(began) * 4 / limit; share {
		case 1:
			early = usage{max(early.goroutines, now.goroutines), max(early.resident, now.resident)}
		case 3:
			late = usage{max(late.goroutines, now.goroutines), max(late.resident, now.resident)}
		}
		for thread := range stuck {
			stuck[thread]--
		}
		for _, thread := range waiting(processes) {
			if stuck[thread] += 2; stuck[thread] >= 40 {
				c.t.Errorf("a thread waits uninterruptibly, for 10 s at least: %s", thread)
				return early, late
			}
		}
		pause(ctx, 250*time.Millisecond)
	}
	return early, late
}

// waiting lists the threads of processes in D state, with how often they have gone to sleep: one that hangs is the same thread with
// the same count each time.
func waiting(processes []int) (threads []string) {
	for _, pid := range processes {
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid)) // they come and go
		for _, task := range tasks {
			text, _ := os.ReadFile(task)
			state, sleeps := "", ""
			for line := range strings.Lines(string(text)) {
				if s, ok := strings.CutPrefix(line, "State:"); ok {
					state = strings.TrimSpace(s)
				}
				if s, ok := strings.CutPrefix(line, "voluntary_ctxt_switches:"); ok {
					sleeps = strings.TrimSpace(s)
				}
			}
			if strings.HasPrefix(state, "D") {
				threads = append(threads, task+" "+sleeps)
			}
		}
	}
	return threads
}
