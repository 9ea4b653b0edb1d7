package vfs

import (
	"errors"
	"slices"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/s3levelfs/s3levelfs/cache"
	"github.com/s3levelfs/s3levelfs/fs/vfs/ahead"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
)

// A program that reads the small files of a directory one after another (cp -r, tar, grep -r, cat *) finds the next ones
// fetched: by their names' order, as readdir gives it, or by the numbers of their inodes, as cp sorts them before it reads. Package
// ahead tells what comes next; all that is needed of a file (version, size, class) is in the listing already, so that
// the only requests are the GETs which the program would send itself. Nothing waits here for the store.

// Bounds of what is remembered of the orders.
const (
	maxOrdered = 50_000  // files of a directory; larger ones are read without this
	allOrdered = 100_000 // files of all directories together
	maxReadIn  = 1_000   // directories that somebody reads in
)

// siblings follows the reads of all directories. Its lock is a leaf.
type siblings struct {
	mu   sync.Mutex
	dirs *lru.LRU[string, *siblingDir] // by the prefix that lists them
	held int                           // names in all of them
}

// siblingDir is a directory in which files are read.
type siblingDir struct {
	last  string    // the file that was read last
	asked time.Time // when the order was asked for; zero = not yet
	order *order    // nil = not known

	byName, byNumber ahead.Runs
}

// order is the order of a directory's files, constant once made.
type order struct {
	names   []string // sorted
	numbers []uint64 // sorted
	at      []int32  // which name each of the numbers belongs to
}

func newSiblings() *siblings {
	s := &siblings{}
	s.dirs, _ = lru.NewLRU(maxReadIn, func(_ string, d *siblingDir) { s.held -= d.size() }) // fails for sizes below one only
	return s
}

func (d *siblingDir) size() int {
	if d.order == nil {
		return 0
	}
	return len(d.order.names)
}

// seen takes in that somebody has begun to read a file. known is called, without a lock, for the order of the directory when a second file of
// it is read, and at most once in again when a file is not in it. The answer is what to fetch.
func (s *siblings) seen(dir, name string, ino uint64, again time.Duration, known func() *order) (*order, [2]ahead.Next) {
	s.mu.Lock()
	d, ok := s.dirs.Get(dir)
	if !ok {
		d = &siblingDir{}
		s.dirs.Add(dir, d)
	}
	before := d.last
	d.last = name
	if before == "" || before == name {
		s.mu.Unlock()
		return nil, [2]ahead.Next{}
	}
	if d.order.position(name) < 0 && (d.asked.IsZero() || time.Since(d.asked) > again) {
		d.asked = time.Now()
		s.mu.Unlock()
		o := known()
		s.mu.Lock()
		s.install(dir, d, o)
		d.byName, d.byNumber = ahead.Runs{}, ahead.Runs{}
		d.next(before, o.number(before))
	}
	defer s.mu.Unlock()
	return d.order, d.next(name, ino)
}

// install gives a directory its order and has others forget theirs where it gets too much. Called with mu held.
func (s *siblings) install(dir string, d *siblingDir, o *order) {
	if now, ok := s.dirs.Peek(dir); !ok || now != d {
		d.order = o // nobody finds it any more
		return
	}
	s.held -= d.size()
	d.order = o
	s.held += d.size()
	for s.held > allOrdered && s.dirs.Len() > 1 {
		s.dirs.RemoveOldest()
	}
}

// next moves the runs on. Called with siblings.mu held.
func (d *siblingDir) next(name string, ino uint64) (n [2]ahead.Next) {
	at := d.order.position(name)
	if at < 0 {
		return n
	}
	n[0] = d.byName.Read(at, len(d.order.names))
	if at, ok := slices.BinarySearch(d.order.numbers, ino); ok {
		n[1] = d.byNumber.Read(at, len(d.order.numbers))
	}
	return n
}

// back gives back what was not fetched.
func (s *siblings) back(dir string, which int, n ahead.Next, unfetched int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d, ok := s.dirs.Peek(dir); ok {
		d.runs(which).Back(n, unfetched)
	}
}

// stop ends the runs of a directory: what was to come can not be had.
func (s *siblings) stop(dir string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d, ok := s.dirs.Peek(dir); ok {
		d.byName, d.byNumber = ahead.Runs{}, ahead.Runs{}
	}
}

func (d *siblingDir) runs(which int) *ahead.Runs {
	if which == 0 {
		return &d.byName
	}
	return &d.byNumber
}

// position is the place of a name, -1 if it has none.
func (o *order) position(name string) int {
	if o == nil {
		return -1
	}
	if at, ok := slices.BinarySearch(o.names, name); ok {
		return at
	}
	return -1
}

// number is the inode number of a name, 0 if it is not there.
func (o *order) number(name string) uint64 {
	at := o.position(name)
	if at < 0 {
		return 0
	}
	i := slices.Index(o.at, int32(at))
	return o.numbers[i]
}

// name is the file at a position of one of the orders.
func (o *order) name(which, pos int) string {
	if which == 0 {
		return o.names[pos]
	}
	return o.names[o.at[pos]]
}

// orderOf is the order of a directory's files as far as its listing is known.
func (v *FS) orderOf(dir string) *order {
	names := v.listing.Names(dir, maxOrdered)
	if len(names) == 0 {
		return nil
	}
	type numbered struct {
		ino uint64
		at  int32
	}
	all := make([]numbered, len(names))
	for i, name := range names {
		ino, _ := v.inodes.peek(dir+name, "")
		all[i] = numbered{ino, int32(i)}
	}
	slices.SortFunc(all, func(a, b numbered) int {
		if a.ino < b.ino {
			return -1
		}
		return 1
	})
	o := &order{names: names, numbers: make([]uint64, len(all)), at: make([]int32, len(all))}
	for i, n := range all {
		o.numbers[i], o.at[i] = n.ino, n.at
	}
	return o
}

// sibling tells of a node that is opened for reading where among the others of its directory it is; "" = nobody looks there.
func sibling(n *node) (dir, name string) {
	if !n.stored() || n.target.Beside || !n.target.Grants.Has(levels.Get|levels.List) {
		return "", ""
	}
	return n.target.Parent, n.target.Name
}

// readSibling is told of the first bytes that a handle has got of a stored version, and fetches what its program will read next.
func (v *FS) readSibling(h *Handle) {
	if h.dir == "" {
		return
	}
	o, next := v.siblings.seen(h.dir, h.name, h.of.ino, v.cfg.MetadataTTL, func() *order { return v.orderOf(h.dir) })
	for which, n := range next {
		for i := range n.Count {
			if !v.fetchSibling(h.dir, o.name(which, n.From+i*n.Step)) {
				v.siblings.back(h.dir, which, n, n.Count-i)
				break
			}
		}
	}
}

// fetchSibling begins to fetch a file as the listing knows it, unless something is pending there, or the store would refuse.
// false: so much is being fetched that it must wait.
func (v *FS) fetchSibling(dir, name string) bool {
	if _, pending := v.up.Lookup(dir + name); pending {
		return true
	}
	for _, e := range v.listing.Known(dir, name) {
		if e.Dir || archived(&e.Object) {
			continue
		}
		version := cache.Object{Key: e.Object.Key, ETag: e.Object.ETag, Size: e.Object.Size, ModTime: e.Object.LastModified}
		err := v.cache.Prefetch(version, func(error) { v.siblings.stop(dir) })
		return !errors.Is(err, cache.ErrBusy)
	}
	return true
}

// archived: the object may have to be restored before it can be read. What has been restored is read all the same, but not ahead.
func archived(o *store.Object) bool {
	return o.StorageClass == "GLACIER" || o.StorageClass == "DEEP_ARCHIVE"
}
