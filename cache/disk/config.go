package disk

import (
	"fmt"
	"math"
	"path/filepath"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// Sizes in bytes.
const (
	// MinSize is the smallest store.
	MinSize int64 = 16 << 20
	// DefaultMaxSize bounds what [DefaultSize] gives.
	DefaultMaxSize int64 = 10 << 30

	minSegment = 1 << 20
	maxSegment = 1 << 30
	segments   = 128 // of them make the store
	// leastDefault is what is worth having without being asked.
	leastDefault int64 = 64 << 20

	minMaxBlocks = 200_000
	defaultQueue = 16 << 20
)

// Config are the options of a Store.
type Config struct {
	Dir   string // its own directory; is made when it is missing, its parents too
	Owner string // whose blocks: those of another owner are not there
	Size  int64  // bounds the bytes of all files; MinSize at least
	// KeepFree tells what is left free, in bytes, of a disk of so many bytes; nil = nothing.
	KeepFree func(total int64) int64
	// Queue bounds the bytes that wait to be written; 0 = 16 MiB. Their blocks are the caller's memory.
	Queue int64
	// MaxBlocks bounds the number of blocks; 0 = 200,000, or a quarter more than the whole blocks that fit, if that is more.
	MaxBlocks int
	// DiskRoom tells what is free for an ordinary user on a directory's disk, and how large that is; nil = ask the system.
	DiskRoom func(dir string) (free, total int64, err error)
	Log      *zap.Logger // nil = none
}

func (c Config) withDefaults() (Config, error) {
	if c.Size < MinSize {
		return c, fmt.Errorf("read cache on disk: %d bytes are less than %d", c.Size, MinSize)
	}
	if c.Queue <= 0 {
		c.Queue = defaultQueue
	}
	if c.MaxBlocks <= 0 {
		c.MaxBlocks = int(max(minMaxBlocks, min(c.Size/BlockSize*5/4, math.MaxInt32)))
	}
	if c.DiskRoom == nil {
		c.DiskRoom = diskRoom
	}
	if c.KeepFree == nil {
		c.KeepFree = func(int64) int64 { return 0 }
	}
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	return c, nil
}

// segmentSize is where a segment ends.
func (c Config) segmentSize() int64 { return min(max(c.Size/segments, minSegment), maxSegment) }

// DefaultSize is the size of a store in dir that nobody has asked for: a tenth of what is free there, with what it takes
// already, and DefaultMaxSize at most. 0 = so little that none is worth it, or the disk does not tell.
func DefaultSize(dir string) int64 {
	existing := dir
	for {
		free, _, err := diskRoom(existing)
		if err == nil {
			size := min((free+usage(dir))/10, DefaultMaxSize)
			if size < leastDefault {
				return 0
			}
			return size
		}
		up := filepath.Dir(existing)
		if up == existing {
			return 0
		}
		existing = up
	}
}

// diskRoom asks the file system of a directory, for what an ordinary user may write.
func diskRoom(dir string) (free, total int64, err error) {
	var st unix.Statfs_t
	if err := retryEINTR(func() error { return unix.Statfs(dir, &st) }); err != nil {
		return 0, 0, err
	}
	return int64(st.Bavail) * st.Bsize, int64(st.Blocks) * st.Bsize, nil
}

// retryEINTR repeats a system call that a signal interrupts.
func retryEINTR(f func() error) error {
	for {
		if err := f(); err != unix.EINTR { //nolint:errorlint // a bare errno
			return err
		}
	}
}

// Stats are counters since Open, and gauges.
type Stats struct {
	Dir     string `json:"dir"`
	Size    int64  `json:"size"`           // bound of Bytes
	Bytes   int64  `json:"bytes"`          // of all files
	Blocks  int    `json:"blocks"`         // and pages
	Queued  int64  `json:"queued"`         // bytes that wait to be written
	Hits    int64  `json:"hits"`           // units that were read
	Read    int64  `json:"read_bytes"`     // of these
	Written int64  `json:"written"`        // units
	Wrote   int64  `json:"written_bytes"`  // of these, without headers
	Direct  int64  `json:"direct"`         // of the units written: past the page cache
	Carried int64  `json:"carried"`        // units that were written again as their segment went
	Evicted int64  `json:"evicted"`        // units that went
	Dropped int64  `json:"dropped"`        // units that were not written: the queue or the disk was full, or failed
	Bad     int64  `json:"bad"`            // units that could not be read, or were not what was written
	Full    string `json:"full,omitempty"` // why nothing is written at the moment
}
