package peruser

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/internal/telemetry"
)

// Mount is the mount of one user, while it runs.
type Mount interface {
	// Done is closed when it has ended, for whatever reason, and nothing of it is left in the tree.
	Done() <-chan struct{}
	// InTree tells whether it can be reached: a mount that was taken out of the tree, by whom ever, may still upload.
	InTree() bool
	// Activity tells what goes on in it.
	Activity(ctx context.Context) (Activity, error)
	// Sync waits until what lies below path is uploaded or has failed, for at most limit (0 = as long as it takes), and tells what is left.
	Sync(ctx context.Context, path string, limit time.Duration) (telemetry.Left, error)
	// Unmount ends it if nobody is in it; else it is an error, and the mount goes on.
	Unmount(ctx context.Context) error
	// Stop ends it whoever is in it, after a moment for them, and does not wait.
	Stop() error
}

// Activity is what goes on in a mount.
type Activity struct {
	Requests int64 // of the kernel, since the mount
	Open     int   // files and directories that programs have open
	Left     telemetry.Left
}

// Starter starts the mount of a user and returns when it can be used.
type Starter interface {
	Start(ctx context.Context, uid uint32) (Mount, error)
}

// State is where a user's mount is.
type State string

// The states. A user without an entry has no mount.
const (
	Starting State = "starting"
	Mounted  State = "mounted"
	Ending   State = "ending" // nobody has used it; who comes now waits for its end, and gets a new one
	Failed   State = "failed" // until a time, so that a loop of calls is not a loop of starts
)

// Why a user gets no mount, found by errors.Is. Each is an errno, too.
var (
	// ErrFull is EUSERS.
	ErrFull = fmt.Errorf("as many users have mounts as may: %w", unix.EUSERS)
	// ErrClosed is ESHUTDOWN.
	ErrClosed = fmt.Errorf("the mounts are being ended: %w", unix.ESHUTDOWN)
	// ErrEnding is EBUSY.
	ErrEnding = fmt.Errorf("the user's earlier mount still uploads: %w", unix.EBUSY)
)

// Config bounds a Table.
type Config struct {
	Max   int           // mounts at a time, at least 1
	Idle  time.Duration // after which a mount that nobody uses is ended; 0 = never
	Retry time.Duration // for which a failed start answers for the next ones; 0 = 5 s
	Log   *zap.Logger   // nil = none
}

// endPatience is how long a caller waits for the end of the user's earlier mount, as long as a mount waits for another one's spool.
const endPatience = 10 * time.Second

// askTimeout bounds a question that a healthy mount answers in milliseconds.
const askTimeout = 5 * time.Second

// Table is who has a mount. It is safe for concurrent use.
type Table struct {
	starter Starter
	cfg     Config
	log     *zap.Logger

	ctx    context.Context //nolint:containedctx // of the work that is the table's own; Close ends it
	cancel context.CancelFunc
	work   sync.WaitGroup // starts, ends of idle mounts, the look for them
	watch  sync.WaitGroup // those who wait for mounts to end
	gone   chan struct{}  // closed when nobody waits for mounts any more

	mu     sync.Mutex
	users  map[uint32]*entry
	closed bool
	full   bool // it was told
}

// entry is one user's. Its fields are guarded by Table.mu.
type entry struct {
	state   State
	changed chan struct{} // closed when state changes
	mount   Mount         // of Mounted and Ending
	since   time.Time     // of the state
	err     error         // of Failed

	used     time.Time // when somebody was last seen to use it
	requests int64     // of its Activity then
}

// New makes a table without mounts. The caller closes it.
func New(s Starter, cfg Config) *Table {
	cfg.Max, cfg.Retry = max(cfg.Max, 1), cmp.Or(cfg.Retry, 5*time.Second)
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	t := &Table{starter: s, cfg: cfg, log: cfg.Log, users: map[uint32]*entry{}, gone: make(chan struct{})}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	if cfg.Idle > 0 {
		t.work.Go(t.look)
	}
	return t
}

// Use returns when the user's mount can be used, and counts as a use of it: it is started if there is none. Errors are those of
// the start, [ErrFull], [ErrClosed], [ErrEnding] and ctx's; a start goes on when ctx has ended.
func (t *Table) Use(ctx context.Context, uid uint32) error {
	patience := time.NewTimer(endPatience)
	defer patience.Stop()
	for {
		wait, ending, err := t.use(uid)
		if wait == nil || err != nil {
			return err
		}
		over := patience.C
		if !ending {
			over = nil
		}
		select {
		case <-wait:
		case <-over:
			return ErrEnding
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// use is one step of Use: wait is nil when it is done; it is for the end of a mount or of a start.
func (t *Table) use(uid uint32) (wait <-chan struct{}, ending bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e, now := t.users[uid], time.Now()
	switch {
	case t.closed:
		return nil, false, ErrClosed
	case e == nil, e.state == Failed && now.Sub(e.since) >= t.cfg.Retry:
		wait, err = t.begin(uid, now)
		return wait, false, err
	case e.state == Failed:
		return nil, false, e.err
	case e.state == Mounted:
		if e.mount.InTree() {
			e.used = now
			return nil, false, nil
		}
		t.turn(e, Ending) // it has just died, or somebody has unmounted it
	}
	return e.changed, e.state == Ending, nil
}

// begin starts a mount, if there may be one more. It is called under mu.
func (t *Table) begin(uid uint32, now time.Time) (wait <-chan struct{}, err error) {
	if t.running() >= t.cfg.Max {
		if !t.full { // not once for each call
			t.log.Warn("a user gets no mount: as many have one as may; raise --per-user-max, or lower --per-user-idle",
				zap.Uint32("uid", uid), zap.Int("max", t.cfg.Max))
		}
		t.full = true
		return nil, ErrFull
	}
	e := &entry{state: Starting, changed: make(chan struct{}), since: now}
	t.users[uid] = e
	t.work.Go(func() { t.start(uid, e) })
	return e.changed, nil
}

// running counts what the bound is for. It is called under mu.
func (t *Table) running() (n int) {
	for _, e := range t.users {
		if e.state != Failed {
			n++
		}
	}
	return n
}

// turn changes an entry's state and wakes who waits for that. It is called under mu.
func (t *Table) turn(e *entry, s State) {
	close(e.changed)
	e.state, e.changed, e.since = s, make(chan struct{}), time.Now()
	if s == Mounted {
		e.used = e.since
	}
}

func (t *Table) start(uid uint32, e *entry) {
	m, err := t.starter.Start(t.ctx, uid)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil {
		t.add(uid, e, m)
		return
	}
	if !errors.Is(err, context.Canceled) {
		t.log.Warn("a user's mount did not start", zap.Uint32("uid", uid), zap.Error(err), zap.Duration("again after", t.cfg.Retry))
	}
	e.err = err
	t.turn(e, Failed)
	t.full = false
}

// add enters a mount that runs, and watches it. It is called under mu.
func (t *Table) add(uid uint32, e *entry, m Mount) {
	e.mount = m
	t.turn(e, Mounted)
	t.watch.Go(func() {
		select {
		case <-m.Done():
		case <-t.gone:
			return
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		t.log.Info("a user's mount has ended", zap.Uint32("uid", uid))
		delete(t.users, uid)
		close(e.changed)
		t.full = false
	})
}

// Adopt enters a mount that an earlier table has left. It may be more than there would be now.
func (t *Table) Adopt(uid uint32, m Mount) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := &entry{changed: make(chan struct{})}
	t.users[uid] = e
	t.add(uid, e, m)
}
