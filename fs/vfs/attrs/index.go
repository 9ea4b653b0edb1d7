package attrs

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/store"
)

// Config are the options of an Index. The zero value works and keeps nothing on disk.
type Config struct {
	// Dir is the directory of the file that keeps the entries of own
	// prefixes; "" = memory only. The file is 0600; a corrupt one is dropped.
	Dir string
	// AttrTTL is how long an entry outside of own prefixes holds; 0 = 60 s.
	AttrTTL time.Duration
	// MetadataTTL is how long an empty object's entry holds; 0 = 5 s.
	MetadataTTL time.Duration
	// Own reports whether key is in one of the identity's own prefixes;
	// nil = none is. It must not block.
	Own func(key string) bool
	// MaxEntries bounds the index (about 500 bytes each, the keys among them); 0 = 200,000.
	MaxEntries int
	// Parallel bounds the HEADs in flight, all callers together; 0 = 64.
	Parallel int

	Log *zap.Logger // nil = none
}

// Defaults of Config.
const (
	DefaultAttrTTL     = 60 * time.Second
	DefaultMetadataTTL = 5 * time.Second
	defaultMaxEntries  = 200_000
	defaultParallel    = 64
)

// putSlack is how much later than a write of ours the listing may date it: clocks
// differ, and a PUT's answer does not tell Last-Modified. A later date is
// somebody else's write of the same bytes.
const putSlack = 60 * time.Second

// Stats are counters since New, and gauges.
type Stats struct {
	Entries int   // known objects
	Heads   int64 // HEAD requests sent
	Flying  int   // HEADs in flight or waiting for their turn
}

// Index knows the headers of objects. Its methods are safe for concurrent use.
type Index struct {
	store store.Reader
	cfg   Config
	log   *zap.Logger

	ctx    context.Context // ends with Close; HEADs run under it
	cancel context.CancelFunc
	tasks  sync.WaitGroup
	turns  chan struct{} // one slot for each HEAD in flight

	journal *journal // nil when nothing is kept on disk

	mu      sync.Mutex
	entries *simplelru.LRU[string, *entry] // by key
	flights map[version]*flight
	closed  bool
	heads   int64
}

// entry is what is known of the latest version seen of one key. Immutable but for seen.
type entry struct {
	etag string
	size int64
	// headers are packed: a hundred thousand entries are nothing rare.
	headers []byte

	// checked is when the headers were known to be true (wall clock).
	checked time.Time
	// seen are Unix seconds of Last-Modified that this entry goes by: as the
	// headers' answer gave it, and as the listing did. 0 = none yet: a write
	// of ours whose date no listing has told; the first one is adopted.
	seen [2]int64
}

// version names one version of one object as far as a listing tells it.
type version struct {
	key, etag string
	size      int64
	modified  int64 // Unix seconds
}

func versionOf(o store.Object) version {
	return version{key: o.Key, etag: opaque(o.ETag), size: o.Size, modified: unixSeconds(o.LastModified)}
}

func unixSeconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// New makes an index, with what its file has kept. It never fails: a file that
// can not be read or written is logged and done without.
func New(r store.Reader, cfg Config) *Index {
	if cfg.AttrTTL <= 0 {
		cfg.AttrTTL = DefaultAttrTTL
	}
	if cfg.MetadataTTL <= 0 {
		cfg.MetadataTTL = DefaultMetadataTTL
	}
	if cfg.Own == nil {
		cfg.Own = func(string) bool { return false }
	}
	if cfg.MaxEntries <= 0 {
		cfg.MaxEntries = defaultMaxEntries
	}
	if cfg.Parallel <= 0 {
		cfg.Parallel = defaultParallel
	}
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	entries, err := simplelru.NewLRU[string, *entry](cfg.MaxEntries, nil)
	if err != nil { // only for a size that is not positive
		panic("attrs: " + err.Error())
	}
	ctx, cancel := context.WithCancel(context.Background())
	x := &Index{
		store: r, cfg: cfg, log: cfg.Log,
		ctx: ctx, cancel: cancel,
		turns:   make(chan struct{}, cfg.Parallel),
		entries: entries,
		flights: map[version]*flight{},
	}
	if cfg.Dir != "" {
		x.journal = openJournal(x)
	}
	return x
}

// Close ends the HEADs in flight, writes the file and waits for all goroutines.
func (x *Index) Close() {
	x.mu.Lock()
	closed := x.closed
	x.closed = true
	x.mu.Unlock()
	if closed {
		return
	}
	x.cancel()
	x.tasks.Wait()
	if x.journal != nil {
		x.journal.close()
	}
}

// Get returns what is known of the version that a listing, HEAD or GET told
// (o.Headers is ignored). ok is false when nothing is; fresh is false when it has expired:
// it may still be shown while a Fetch renews it. The headers must not be changed.
func (x *Index) Get(o store.Object) (h store.Headers, p Posix, fresh, ok bool) {
	now := time.Now().Round(0)
	x.mu.Lock()
	e, ok := x.entries.Get(o.Key)
	var adopted bool
	if ok {
		ok, adopted = e.matches(o)
	}
	if ok {
		fresh = x.fresh(o.Key, e, now)
	}
	x.mu.Unlock()
	if adopted {
		x.keep(o.Key)
	}
	if !ok {
		return store.Headers{}, Posix{}, false, false
	}
	h = unpack(e.headers)
	o.Headers = &h
	return h, Decode(o), fresh, true
}

// matches reports whether e is of the version o, and adopts the date of a write
// of ours. Index.mu is held.
func (e *entry) matches(o store.Object) (ok, adopted bool) {
	if e.etag != opaque(o.ETag) || e.size != o.Size {
		return false, false
	}
	modified := unixSeconds(o.LastModified)
	if modified == 0 || modified == e.seen[0] || modified == e.seen[1] {
		return true, false
	}
	if e.seen[0] == 0 && !o.LastModified.After(e.checked.Add(putSlack)) {
		e.seen[0] = modified
		return true, true
	}
	return false, false
}

// opaque drops the quotes of an ETag: some servers list it without.
func opaque(etag string) string { return strings.Trim(etag, `"`) }

func (x *Index) fresh(key string, e *entry, now time.Time) bool {
	age := now.Sub(e.checked)
	switch {
	case e.size == 0:
		return age >= 0 && age < x.cfg.MetadataTTL
	case x.cfg.Own(key):
		return true
	default:
		return age >= 0 && age < x.cfg.AttrTTL
	}
}

// Put records the headers of o, an answer of HEAD, GET, PUT, Copy or Complete
// that was just received. LastModified may be zero where a PUT's answer does not tell it: the
// first listing of the same bytes fills it in. Without all headers it does nothing.
func (x *Index) Put(o store.Object) {
	if o.Headers == nil || o.TagsUntold {
		return
	}
	x.put(o, unixSeconds(o.LastModified))
}

// put records o, which goes by the date listed besides its own.
func (x *Index) put(o store.Object, listed int64) {
	e := &entry{
		etag: opaque(o.ETag), size: o.Size, headers: pack(o.Headers), checked: time.Now().Round(0), // wall clock: a suspended machine ages too
		seen: [2]int64{unixSeconds(o.LastModified), listed},
	}
	x.mu.Lock()
	x.entries.Add(o.Key, e)
	x.mu.Unlock()
	x.keep(o.Key)
}

// keep has the file follow the entry of key, where there is a file and key is in an
// own prefix.
func (x *Index) keep(key string) {
	if x.journal != nil && x.cfg.Own(key) {
		x.journal.note(key)
	}
}

// Forget drops what is known of key: it was deleted or replaced.
func (x *Index) Forget(key string) {
	x.mu.Lock()
	dropped := x.entries.Remove(key)
	x.mu.Unlock()
	if dropped {
		x.keep(key)
	}
}

// Stats returns the counters.
func (x *Index) Stats() Stats {
	x.mu.Lock()
	defer x.mu.Unlock()
	return Stats{Entries: x.entries.Len(), Heads: x.heads, Flying: len(x.flights)}
}
