package listing

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/sync/singleflight"

	"github.com/s3levelfs/s3levelfs/store"
)

// ErrClosed is the failure of a listing after Close.
var ErrClosed = errors.New("listing index is closed")

// maxGone bounds the removed directories that are remembered: only as long as the
// uploader may still tell of removals in them.
const maxGone = 10_000

// Index is the index of remote directories. Its methods are safe for
// concurrent use.
type Index struct {
	store  store.Reader
	cfg    Config
	ctx    context.Context // of the listings: ends with Close, not with a caller
	cancel context.CancelFunc
	group  singleflight.Group
	wg     sync.WaitGroup // listings

	mu      sync.Mutex // guards what follows; see the package's doc
	cache   *cache
	health  health
	changes changes
	flats   map[string]*flat // the flat listings that run, by their directory
	scans   map[string]*scan // the listings of whole directories that run
	pace    pace
	serial  bool                             // a listing behind a name is not what the store knows, or not in order
	kept    map[string]map[string]struct{}   // directory -> directories in it that were emptied here
	gone    *simplelru.LRU[string, struct{}] // directories removed here of late
	odd     map[string]struct{}              // directories that do not end in a slash: levels' verbatim prefixes
	closed  bool
}

// New makes an index. Close ends its goroutines.
func New(r store.Reader, cfg Config) *Index {
	ctx, cancel := context.WithCancel(context.Background())
	cfg = cfg.withDefaults()
	gone, _ := simplelru.NewLRU[string, struct{}](maxGone, nil) // fails for sizes below one only
	return &Index{
		store: r, cfg: cfg, ctx: ctx, cancel: cancel,
		cache:   newCache(cost{cfg.MaxEntries, cfg.MaxBytes}),
		health:  health{log: cfg.Log},
		changes: changes{running: make(map[*run]struct{})},
		flats:   make(map[string]*flat),
		scans:   make(map[string]*scan),
		kept:    make(map[string]map[string]struct{}),
		gone:    gone,
		odd:     make(map[string]struct{}),
	}
}

// Close ends running listings and waits for them. Calls fail afterwards, but for
// what is known still.
func (x *Index) Close() {
	x.mu.Lock()
	x.closed = true
	x.mu.Unlock()
	x.cancel()
	x.wg.Wait()
}

// Lookup gives the entries of one name in a directory: the file, the directory,
// both, or none (nil), which is proved. dir is a key prefix ending in a slash, or
// a level's prefix. At most two LISTs for a directory that was not seen, one
// where it was.
func (x *Index) Lookup(ctx context.Context, dir, name string) (entries []Entry, fresh Fresh, err error) {
	fresh, err = x.ask(ctx, dir,
		func(d *directory, now time.Time) *content {
			if c := d.known(name, now, x.cfg.TTL); c != nil {
				return c
			}
			if s := x.scans[dir]; s != nil {
				return s.lookup(name)
			}
			return nil
		},
		func(c *content) { entries = c.entry(name) },
		func() (*content, error) { return x.fetchName(ctx, dir, name) })
	return entries, fresh, err
}

// ReadDir gives all entries of a directory, sorted by raw name. A prefix without
// any key is an empty directory. Directories may be large: see Open.
func (x *Index) ReadDir(ctx context.Context, dir string) ([]Entry, Fresh, error) {
	st, err := x.Open(ctx, dir)
	if err != nil {
		return nil, Fresh{}, err
	}
	defer st.Close()
	var all []Entry
	for {
		some, err := st.Next(ctx)
		if err != nil {
			return nil, Fresh{}, err
		}
		if len(some) == 0 {
			break
		}
		all = append(all, some...)
	}
	slices.SortStableFunc(all, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return all, st.Fresh(), nil
}

// knownDir gives the whole of a directory, where it is known. Called with mu held.
func (x *Index) knownDir(d *directory, now time.Time) *content {
	d.read = now
	if d.content == nil || !now.Before(d.content.until(x.cfg.TTL)) {
		return nil
	}
	if d.flat != nil {
		d.flat.hit(d.page)
		d.flat = nil
	}
	return d.content
}

// ask answers from what is known, else from the store, else, in an outage, from
// what was known. known and read are called with mu held. fetch may give no content where it has the answer by itself.
func (x *Index) ask(ctx context.Context, dir string, known func(*directory, time.Time) *content,
	read func(*content), fetch func() (*content, error),
) (Fresh, error) {
	began := time.Now()
	var failed error
	for try := 0; ; try++ {
		x.mu.Lock()
		now := time.Now()
		x.noteOdd(dir)
		d := x.cache.get(dir)
		if c := known(d, now); c != nil {
			read(c)
			until := c.until(x.cfg.TTL)
			x.mu.Unlock()
			return Fresh{Until: until}, nil
		}
		old := d.content
		if old != nil && x.health.serveStale(now, x.cfg.StaleIfDown) {
			read(old)
			probe := len(x.changes.running) == 0 && !x.closed
			x.mu.Unlock()
			if probe {
				x.group.DoChan(probeKey, func() (any, error) { return x.listDir(dir, 1) })
			}
			return Fresh{Until: now.Add(min(x.cfg.TTL, staleTTL)), Stale: true}, nil
		}
		x.mu.Unlock()
		if try > 0 && now.Sub(began) > patience {
			return Fresh{}, failed // the outage is over, and the time for another try too
		}

		c, err := fetch()
		if err == nil {
			x.mu.Lock()
			defer x.mu.Unlock()
			if c == nil {
				return Fresh{}, nil
			}
			read(c)
			return Fresh{Until: c.until(x.cfg.TTL)}, nil
		}
		if old == nil || try > 0 || !unavailable(err) || !x.waitOutage(ctx, began) {
			return Fresh{}, err
		}
		failed = err
	}
}

// staleTTL is how long an answer from before the outage may be served without
// asking whether it goes on.
const staleTTL = time.Second

// patience is how long after the begin of a question a failed listing is worth
// a second one: an error has to reach the program within 20 s (promise 9).
const patience = 5 * time.Second

// waitOutage waits after a failure until the outage is old enough to serve stale
// answers, or over. It reports whether to try again.
func (x *Index) waitOutage(ctx context.Context, began time.Time) bool {
	x.mu.Lock()
	now := time.Now()
	stale := x.health.serveStale(now, x.cfg.StaleIfDown)
	wait, ok := x.health.wait(now, x.cfg.StaleIfDown)
	x.mu.Unlock()
	if stale {
		return true
	}
	if !ok || now.Sub(began) > patience {
		return false
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// noteOdd remembers a directory whose prefix does not end in a slash, because
// it can not be found by cutting keys at slashes.
func (x *Index) noteOdd(dir string) {
	if dir != "" && !strings.HasSuffix(dir, "/") {
		x.odd[dir] = struct{}{}
	}
}

// above calls f for every directory that key lies in, the nearest first (but
// for odd ones, which come last), until f returns false. A directory is not
// above itself.
func (x *Index) above(key string, f func(dir string) bool) {
	for dir := parentOf(key); ; dir = parentOf(dir) {
		if !f(dir) {
			return
		}
		if dir == "" {
			break
		}
	}
	for dir := range x.odd {
		if strings.HasPrefix(key, dir) && key != dir && !f(dir) {
			return
		}
	}
}

// parent is the directory whose listing shows key: that of the last slash, or an
// odd one that begins behind it.
func (x *Index) parent(key string) string {
	dir := parentOf(key)
	for odd := range x.odd {
		if len(odd) > len(dir) && len(odd) < len(key) && strings.HasPrefix(key, odd) {
			dir = odd
		}
	}
	return dir
}

// parentOf cuts the last element of a key or of a directory's prefix.
func parentOf(key string) string {
	if key == "" {
		return ""
	}
	return key[:strings.LastIndexByte(key[:len(key)-1], '/')+1]
}

// Entries counts what is kept in memory: entries, single names and
// directories. It is at most Config.MaxEntries.
func (x *Index) Entries() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.cache.total.entries
}
