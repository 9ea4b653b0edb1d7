package peruser

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/internal/telemetry"
)

// machine is a Starter of false mounts.
type machine struct {
	takes time.Duration // a start

	mu     sync.Mutex
	err    error // of starts
	starts map[uint32]int
	now    map[uint32]*fake
}

func (m *machine) Start(ctx context.Context, uid uint32) (Mount, error) {
	select {
	case <-time.After(m.takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.starts == nil {
		m.starts, m.now = map[uint32]int{}, map[uint32]*fake{}
	}
	m.starts[uid]++
	if m.err != nil {
		return nil, m.err
	}
	m.now[uid] = &fake{done: make(chan struct{})}
	return m.now[uid], nil
}

func (m *machine) count(uid uint32) int { m.mu.Lock(); defer m.mu.Unlock(); return m.starts[uid] }
func (m *machine) of(uid uint32) *fake  { m.mu.Lock(); defer m.mu.Unlock(); return m.now[uid] }
func (m *machine) fail(err error)       { m.mu.Lock(); defer m.mu.Unlock(); m.err = err }

// fake is a mount.
type fake struct {
	mu    sync.Mutex
	act   Activity
	stays bool // it does not end when it is told to, as it uploads
	busy  bool
	out   bool // of the tree
	did   []string
	done  chan struct{}
}

func (f *fake) Done() <-chan struct{} { return f.done }

func (f *fake) InTree() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.out && !ended(f)
}

func (f *fake) Activity(context.Context) (Activity, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.act, nil
}

func (f *fake) Sync(context.Context, string, time.Duration) (telemetry.Left, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.did) == 0 || f.did[len(f.did)-1] != "sync" {
		f.did = append(f.did, "sync")
	}
	return f.act.Left, nil
}

func (f *fake) Unmount(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.busy {
		f.did = append(f.did, "busy")
		return errors.New("/run/x is in use")
	}
	f.did = append(f.did, "unmount")
	if !f.stays {
		close(f.done)
	}
	return nil
}

func (f *fake) Stop() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.did = append(f.did, "stop")
	if !f.stays {
		close(f.done)
	}
	return nil
}

func (f *fake) set(change func(*fake)) { f.mu.Lock(); defer f.mu.Unlock(); change(f) }
func (f *fake) deeds() []string        { f.mu.Lock(); defer f.mu.Unlock(); return slices.Clone(f.did) }

func use(t *testing.T, table *Table, uid uint32, want error) {
	t.Helper()
	if err := table.Use(t.Context(), uid); !errors.Is(err, want) {
		t.Errorf("user %d: %v, want %v", uid, err, want)
	}
}

// TestOneStartForAllCalls: many calls at once are one start, one user's start keeps no other waiting, and a caller who gives up
// stops nobody's start.
func TestOneStartForAllCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{takes: 10 * time.Second}
		table := New(m, Config{Max: 4})
		defer table.Close(t.Context(), 0)
		begin := time.Now()
		var calls sync.WaitGroup
		for range 10 {
			calls.Go(func() { use(t, table, 1, nil) })
		}
		calls.Go(func() { use(t, table, 2, nil) })
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := table.Use(short, 3); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a caller who gives up: %v", err)
		}
		calls.Wait()
		use(t, table, 3, nil)
		if took := time.Since(begin); took != 10*time.Second || m.count(1) != 1 || m.count(2) != 1 || m.count(3) != 1 {
			t.Errorf("%d, %d and %d starts in %s", m.count(1), m.count(2), m.count(3), took)
		}
	})
}

// TestFailedStart: its error answers for the next five seconds, then it is tried again.
func TestFailedStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{err: unix.EACCES}
		table := New(m, Config{Max: 1, Idle: time.Hour})
		defer table.Close(t.Context(), 0)
		for range 3 {
			use(t, table, 1, unix.EACCES)
		}
		use(t, table, 2, unix.EACCES) // what has failed takes nobody's place
		m.fail(nil)
		time.Sleep(5*time.Second - time.Millisecond)
		use(t, table, 1, unix.EACCES)
		time.Sleep(time.Millisecond)
		use(t, table, 1, nil)
		if m.count(1) != 2 || m.count(2) != 1 {
			t.Errorf("%d and %d starts", m.count(1), m.count(2))
		}
	})
}

// TestBound: one more than may is EUSERS, until somebody's mount has ended.
func TestBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{}
		table := New(m, Config{Max: 2})
		defer table.Close(t.Context(), 0)
		use(t, table, 1, nil)
		use(t, table, 2, nil)
		use(t, table, 3, unix.EUSERS)
		use(t, table, 1, nil)
		close(m.of(2).done)
		synctest.Wait()
		use(t, table, 3, nil)
		if m.count(3) != 1 {
			t.Errorf("%d starts", m.count(3))
		}
	})
}

// TestCrashIsStartedAnew: a mount that ends by itself is started by the next call.
func TestCrashIsStartedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{}
		table := New(m, Config{Max: 1})
		defer table.Close(t.Context(), 0)
		use(t, table, 1, nil)
		close(m.of(1).done) // not waited for: the call sees it by itself
		use(t, table, 1, nil)
		if m.count(1) != 2 {
			t.Errorf("%d starts", m.count(1))
		}
	})
}

// TestIdleEnds: a mount ends after the idle time, drained first, and not while something is open, goes on, or is not uploaded, nor while
// its links are followed; what can not be unmounted stays.
func TestIdleEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const idle = 8 * time.Minute
		m := &machine{}
		table := New(m, Config{Max: 1, Idle: idle})
		defer table.Close(t.Context(), 0)
		use(t, table, 1, nil)
		f := m.of(1)
		for why, change := range map[string]func(*fake){
			"something is open":         func(f *fake) { f.act = Activity{Requests: f.act.Requests, Open: 1} },
			"something is not uploaded": func(f *fake) { f.act = Activity{Requests: f.act.Requests, Left: telemetry.Left{Files: 1}} },
		} {
			f.set(change)
			time.Sleep(3 * idle)
			if did := f.deeds(); len(did) > 0 {
				t.Fatalf("while %s: %q", why, did)
			}
		}
		f.set(func(f *fake) { f.act = Activity{} })
		for range 10 {
			time.Sleep(idle / 2)
			f.set(func(f *fake) { f.act.Requests++ })
		}
		for range 10 {
			time.Sleep(idle / 2)
			use(t, table, 1, nil)
		}
		if did := f.deeds(); len(did) > 0 {
			t.Fatalf("while it is used: %q", did)
		}
		f.set(func(f *fake) { f.busy = true })
		time.Sleep(idle * 3 / 2)
		if did := f.deeds(); !slices.Equal(did, []string{"sync", "busy"}) {
			t.Fatalf("while somebody stands in it: %q", did)
		}
		use(t, table, 1, nil)
		f.set(func(f *fake) { f.busy = false })
		time.Sleep(idle * 3 / 2)
		if did := f.deeds(); !slices.Equal(did[2:], []string{"sync", "unmount"}) {
			t.Fatalf("at its end: %q", did)
		}
		use(t, table, 1, nil)
		if m.count(1) != 2 {
			t.Errorf("%d starts", m.count(1))
		}
	})
}

// TestCallDuringTheEnd waits for it and gets a new mount: what is answered never ends at once.
func TestCallDuringTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{}
		table := New(m, Config{Max: 1, Idle: time.Minute})
		defer table.Close(t.Context(), 0)
		use(t, table, 1, nil)
		first := m.of(1)
		first.set(func(f *fake) { f.stays = true })
		time.Sleep(2 * time.Minute)
		time.AfterFunc(time.Second, func() { close(first.done) })
		use(t, table, 1, nil)
		if m.of(1) == first || m.count(1) != 2 {
			t.Errorf("%d starts", m.count(1))
		}
	})
}

// TestUnmountedByTheUser: a call waits for the end of a process that still uploads, and gets a new mount then; after 10 s it is EBUSY.
func TestUnmountedByTheUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{}
		table := New(m, Config{Max: 1})
		defer table.Close(t.Context(), 0)
		use(t, table, 1, nil)
		first := m.of(1)
		first.set(func(f *fake) { f.out = true })
		begin := time.Now()
		use(t, table, 1, unix.EBUSY)
		if took := time.Since(begin); took != 10*time.Second {
			t.Errorf("it took %s", took)
		}
		time.AfterFunc(9*time.Second, func() { close(first.done) })
		use(t, table, 1, nil)
		if m.count(1) != 2 {
			t.Errorf("%d starts", m.count(1))
		}
	})
}

// TestUnmountAll: one that is in use keeps its mount, and the table; the others end. When nobody is in any no more are started, and
// processes that still upload are not signalled.
func TestUnmountAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{}
		table := New(m, Config{Max: 4})
		use(t, table, 1, nil)
		use(t, table, 2, nil)
		m.of(2).set(func(f *fake) { f.busy = true })
		if err := table.Unmount(t.Context()); err == nil || !strings.Contains(err.Error(), "user 2: /run/x is in use") {
			t.Errorf("one is in use: %v", err)
		}
		use(t, table, 1, nil)
		use(t, table, 2, nil)
		if m.count(1) != 2 || m.count(2) != 1 {
			t.Errorf("%d and %d starts", m.count(1), m.count(2))
		}
		m.of(2).set(func(f *fake) { f.busy, f.stays = false, true })
		f := m.of(2)
		if err := table.Unmount(t.Context()); err != nil {
			t.Errorf("nobody is in: %v", err)
		}
		use(t, table, 3, unix.ESHUTDOWN)
		time.AfterFunc(time.Hour, func() { close(f.done) })
		table.Close(t.Context(), 0)
		if slices.Contains(f.deeds(), "stop") {
			t.Errorf("%q", f.deeds())
		}
	})
}

// TestCloseCountsWhatIsLeft: all are told to end, starts under way are given up, and what mounts say last is counted; those that do
// not end in time are left.
func TestCloseCountsWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{}
		table := New(m, Config{Max: 4, Idle: time.Minute})
		for uid := range uint32(3) {
			use(t, table, uid, nil)
			m.of(uid).set(func(f *fake) { f.act.Left = telemetry.Left{Files: 1, Bytes: 10}; f.stays = uid > 0 })
		}
		m.takes = time.Hour
		go func() { use(t, table, 9, unix.ESHUTDOWN) }()
		synctest.Wait()
		time.AfterFunc(time.Second, func() { m.of(1).set(func(f *fake) { f.act.Left = telemetry.Left{} }) })
		time.AfterFunc(2*time.Second, func() { close(m.of(1).done) })
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if left := table.Close(ctx, time.Second); left.Files != 2 || left.Bytes != 20 {
			t.Errorf("left: %+v", left)
		}
		for uid := range uint32(3) {
			if !slices.Contains(m.of(uid).deeds(), "stop") {
				t.Errorf("user %d: %q", uid, m.of(uid).deeds())
			}
		}
	})
}

// TestAdopted: a mount of an earlier front is used, watched and ended as others are.
func TestAdopted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{}
		table := New(m, Config{Max: 1, Idle: time.Minute})
		defer table.Close(t.Context(), 0)
		f := &fake{done: make(chan struct{})}
		table.Adopt(1, f)
		use(t, table, 1, nil)
		if users := table.Users(t.Context()); len(users) != 1 || users[0].UID != 1 || users[0].State != Mounted || m.count(1) != 0 {
			t.Errorf("%+v", users)
		}
		time.Sleep(2 * time.Minute)
		if did := f.deeds(); !slices.Equal(did, []string{"sync", "unmount"}) {
			t.Errorf("not used: %q", did)
		}
		use(t, table, 1, nil)
		if m.count(1) != 1 {
			t.Errorf("%d starts", m.count(1))
		}
	})
}
