package uploader

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/internal/crew"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// Errors of the package, found by errors.Is; kinds of package store come as they are.
var (
	// ErrBaseLost: the bytes that a delta needs are gone (ESTALE).
	ErrBaseLost = errors.New("the version that the file was opened on is gone")
	// ErrConflict: OnConflict is Fail and the object was changed meanwhile.
	ErrConflict = errors.New("object was changed by somebody else")
	// ErrSettled: what was found pending at a key (a Base that is Pending) has been stored or removed since. Nothing has been done;
	// who looks again knows what is there now.
	ErrSettled = errors.New("what was pending has come to its end meanwhile")
	// ErrClosed: the uploader is closing.
	ErrClosed = errors.New("uploader is closed")
)

// Uploader carries local changes into one bucket. Its methods are safe for
// concurrent use; none but those that say so waits for the store.
type Uploader struct {
	// constant after New
	cfg        Config
	store      store.Store
	spool      *spool.Spool
	log        *zap.Logger
	limits     store.Limits
	layout     layout        // of files whose size is not known yet
	largest    int64         // bytes that a file may have
	window     *window       // of the store requests in flight
	patience   [2]patience   // with a small file, with a part
	crew       *crew.Crew    // runs the rounds of operations
	wake       chan struct{} // the dispatcher has something to look at
	sync       chan struct{} // the syncer has something to release
	wg         sync.WaitGroup
	teller     sync.WaitGroup  // tells the events, the workers' last ones included
	ctx        context.Context //nolint:containedctx // of the workers, ended by Close
	cancel     context.CancelFunc
	events     eventQueue
	compaction compaction
	syncs      storeSyncs
	append     func(...*spool.Record) error // to the log

	mu       sync.Mutex // guards all below; see doc.go for the order
	fold     *fold
	files    map[string]*File
	levels   []*level
	ready    opHeap
	batch    []*op
	batchAt  time.Time
	running  int // operations, not requests
	resting  int // of those under way: that wait without a place
	large    largeFiles
	aborts   []lostUpload // found before Start
	retrying int          // of those running: that have failed before
	parked   []*op        // failed before and ready, but enough of them run
	pause    pause
	trash    []*spool.Content
	released time.Time // when some of it was given back last: its files go with the next group sync
	counts   Counts
	lastErr  string
	ends     int           // operations that have ended, and rounds that have failed, since New
	picks    int           // operations that launch has looked at
	looks    int           // how often Wait has looked at all that is pending
	changed  chan struct{} // closed and replaced whenever an operation ends or fails
	started  bool
	closed   bool
}

// New makes an uploader and replays Config.Recovery. Nothing is sent before
// Start.
func New(c Config) (*Uploader, error) {
	c = c.withDefaults()
	if c.Store == nil || c.Spool == nil {
		return nil, errors.New("uploader: Config.Store and Config.Spool are required")
	}
	if l := c.Store.Limits(); !l.Multipart() {
		c.PartSize = l.MaxPut // so that no file has more than one
	}
	u := &Uploader{
		cfg: c, store: c.Store, spool: c.Spool, append: c.Spool.Append, log: c.Log, limits: c.Store.Limits(),
		window: newWindow(c.Requests), wake: make(chan struct{}, 1), sync: make(chan struct{}, 1),
		layout: growing(c.Store.Limits(), c.PartSize), largest: largest(c.Store.Limits()),
		fold: newFold(), files: map[string]*File{}, changed: make(chan struct{}),
	}
	u.events.init()
	u.ctx, u.cancel = context.WithCancel(context.Background())
	u.crew = crew.New(u.ctx, &u.wg)
	for _, l := range c.Levels {
		u.levels = append(u.levels, &level{Level: l, noCond: u.limits.LooseCond})
	}
	if c.Recovery != nil {
		if err := u.replay(c.Recovery); err != nil {
			return nil, fmt.Errorf("replay of the spool: %w", err)
		}
	}
	return u, nil
}

// Start begins to send. It is called once, after the receiver of Config.Events is ready.
func (u *Uploader) Start() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.started || u.closed {
		return
	}
	u.started = true
	u.wg.Go(u.dispatch)
	u.wg.Go(u.syncLoop)
	u.teller.Go(func() { u.events.run(u.cfg.Events) })
	u.abortLost(u.aborts...)
	u.aborts = nil
	u.poke()
}

// Close waits until everything pending is in the store or ctx ends, stops the
// workers and returns how many operations are left in the spool. It seals nothing: open
// files are the caller's to release first. The spool stays open, the caller closes it.
func (u *Uploader) Close(ctx context.Context) (left int, err error) {
	_, err = u.Wait(ctx, "")
	u.mu.Lock()
	u.closed = true
	left = len(u.fold.ops)
	started := u.started
	u.mu.Unlock()
	u.cancel()
	if started {
		u.wg.Wait()
	}
	u.events.close() // after the last worker: what it did is told, too
	u.teller.Wait()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSync)
	defer cancel()
	u.drainTrash(ctx)
	return left, err
}

// commit appends one transaction to the log and applies it. Called with mu
// held. After an error nothing has changed.
func (u *Uploader) commit(recs ...*spool.Record) error {
	for i, r := range recs {
		if i < len(recs)-1 {
			r.Flags |= flagMore
		}
	}
	if err := u.append(recs...); err != nil {
		return fmt.Errorf("log: %w", err)
	}
	for _, r := range recs {
		u.fold.apply(r)
	}
	u.follow()
	return nil
}

// follow does what a change of the fold asks for: storage to release, heads to
// run, counters. Called with mu held.
func (u *Uploader) follow() {
	f := u.fold
	for _, g := range f.dead {
		if g.content != nil {
			u.trash = append(u.trash, g.content)
			g.content = nil
		}
	}
	if len(u.trash) > 0 {
		poke(u.sync)
	}
	for _, o := range f.moved {
		u.count(o)
		u.passMarkers(o)
		if u.fold.ops[o.id] != o {
			u.ends++
			o.dropStream()
		}
		if u.fold.ops[o.id] != o && !o.running {
			u.passOn(o, false, nil)
		}
	}
	for _, k := range f.heads {
		u.consider(f.queues[k].head())
	}
	u.abortLost(f.lost...)
	f.dead, f.moved, f.lost, f.heads = nil, nil, nil, f.heads[:0]
}

// newID is the id of the next operation. Called with mu held.
func (u *Uploader) newID() uint64 {
	u.fold.lastOp++
	return u.fold.lastOp
}

// notify wakes whoever waits for progress. Called with mu held.
func (u *Uploader) notify() {
	close(u.changed)
	u.changed = make(chan struct{})
}

func (u *Uploader) poke() { poke(u.wake) }

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
