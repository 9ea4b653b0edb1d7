package vfs

import (
	"errors"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/cache"
	"github.com/s3levelfs/s3levelfs/fs/vfs/attrs"
	"github.com/s3levelfs/s3levelfs/fs/vfs/listing"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// Defaults of Config.
const (
	defaultMetadataTTL = 5 * time.Second
	defaultAttrTTL     = 60 * time.Second
	defaultPin         = 64 << 20
	defaultURLExpires  = 15 * time.Minute // Amplify's get
)

// Bounds of the tables that only spare requests: the least recently used
// entries are asked for again.
const (
	maxBlind = 10_000  // own objects in levels that can not be listed
	maxDirs  = 100_000 // headers of directory markers
)

// FS is the file system. Its methods are safe for concurrent use.
type FS struct {
	policy  *levels.Policy
	store   store.Reader
	up      *uploader.Uploader
	cache   *cache.Cache
	listing *listing.Index
	attrs   *attrs.Index
	presign Presigner // nil = none
	cfg     Config
	log     *zap.Logger

	started time.Time // mtime of what has none: synthetic and implied directories
	inodes  *inodes
	notices *notices
	blind   *lru.Cache[string, store.Object] // own objects by key, in levels without list
	dirs    *lru.Cache[string, dirFacts]     // by DirPrefix
	warned  *lru.Cache[string, struct{}]     // archived objects that the log has named

	siblings  *siblings
	crossings crossings
	conflicts conflicts

	mu       sync.Mutex
	open     map[string]*openFile   // by the key that they have now
	gone     map[uint64][]*openFile // by inode number: open files without a name
	first    map[string]levelSeen   // by level prefix: what has been tried there with success
	leftover map[string]struct{}    // removals of an earlier mount that are still to be sent
	ended    map[string]bool        // directories removed here; see gonedir.go
}

// levelSeen is what a level has let this mount do: the first of each waits for
// the store's answer, later ones are journalled (promise 7).
type levelSeen struct{ removed bool }

// New makes the file system. It is called before Uploader.Start; Close it after its
// handles are released.
func New(d Deps, cfg Config) (*FS, error) {
	if d.Policy == nil || d.Store == nil || d.Uploader == nil || d.Cache == nil || d.Listing == nil || d.Attrs == nil {
		return nil, errors.New("vfs: a dependency is missing")
	}
	if cfg.MetadataTTL <= 0 {
		cfg.MetadataTTL = defaultMetadataTTL
	}
	if cfg.AttrTTL <= 0 {
		cfg.AttrTTL = defaultAttrTTL
	}
	if cfg.Pin <= 0 {
		cfg.Pin = defaultPin
	}
	if cfg.URLExpires <= 0 {
		cfg.URLExpires = defaultURLExpires
	}
	if cfg.Created == nil {
		cfg.Created = func(string) store.Headers { return store.Headers{} }
	}
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	blind, err := lru.New[string, store.Object](maxBlind)
	if err != nil {
		return nil, err
	}
	dirs, err := lru.New[string, dirFacts](maxDirs)
	if err != nil {
		return nil, err
	}
	warned, err := lru.New[string, struct{}](maxBlind)
	if err != nil {
		return nil, err
	}
	v := &FS{
		policy: d.Policy, store: d.Store, up: d.Uploader, cache: d.Cache,
		listing: d.Listing, attrs: d.Attrs, presign: d.Presigner, cfg: cfg, log: cfg.Log,
		started: time.Now(), inodes: newInodes(), notices: newNotices(cfg.Notify),
		blind: blind, dirs: dirs, warned: warned, siblings: newSiblings(),
		open: make(map[string]*openFile), gone: make(map[uint64][]*openFile),
		first: make(map[string]levelSeen), ended: make(map[string]bool), leftover: make(map[string]struct{}),
	}
	v.findLeftovers()
	return v, nil
}

// findLeftovers notes the removals that an earlier mount left in the spool.
// Nothing is sent before Uploader.Start, so that no event can have come yet.
func (v *FS) findLeftovers() {
	for _, key := range v.up.Removals() {
		switch {
		case !strings.HasSuffix(key, "/"):
			v.leftover[key] = struct{}{}
		case !v.up.Under(key):
			v.ended[key] = false
		}
	}
}

// Close ends the notifier. Open handles stay valid until they are released.
func (v *FS) Close() { v.notices.close() }

// Forget tells that the kernel dropped its last reference to a generation of the number: its
// entry of the inode table may go.
func (v *FS) Forget(ino, gen uint64) { v.inodes.forget(ino, gen) }

// Held tells whether somebody has a file of the number open.
func (v *FS) Held(ino uint64) bool { return v.inodes.held(ino) }
