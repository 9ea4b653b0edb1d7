package spool

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"go.uber.org/zap"
)

// Config says where and how. Dir and Owner are required; the zero value of the rest means the default.
type Config struct {
	// Dir is the spool's directory, made (0700) when it is missing. One process at a time.
	Dir string
	// Owner names whose spool this is: endpoint, bucket, prefixes and identity
	// in a form of the caller's. Opening it for another one gives ErrOwner.
	Owner string
	// BootID identifies the run of the kernel; default: /proc/sys/kernel/random/boot_id.
	BootID string

	GroupSync   time.Duration // longest time that something stays unsynced; default 1 s, negative: only by Sync
	InlineMax   int64         // bytes that one generation writes into segments; default 64 KiB, negative: none
	SegmentSize int64         // bytes at which the next segment begins; default 64 MiB
	MaxBytes    int64         // bytes in segments and data files; 0 = unlimited
	KeepFree    KeepFree      // what others keep of the disk; zero: nothing
	MaxOpen     int           // descriptors kept open for storage files; default 256

	Log *zap.Logger // nil: none

	// OnSync, if set, is told of each file that has just been put on stable storage (tests of power loss).
	// It is called while the group sync goes on: it must not call the spool.
	OnSync func(path string)
	// SyncFile, if set, is called before each file is put on stable storage; its error stands for that of the
	// sync (tests of failing disks).
	SyncFile func(path string) error
	// DiskRoom, if set, tells what is free on a directory's disk, and how large that is, in bytes (tests of full
	// disks). Default: statfs.
	DiskRoom func(dir string) (free, total int64, err error)
	// WriteAt, if set, does the writes to segments and data files (tests of full disks).
	WriteAt func(f *os.File, p []byte, off int64) (int, error)
}

func (c Config) withDefaults() (Config, error) {
	if c.Dir == "" {
		return c, errors.New("spool: Config.Dir is empty")
	}
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	if c.WriteAt == nil {
		c.WriteAt = func(f *os.File, p []byte, off int64) (int, error) { return f.WriteAt(p, off) }
	}
	if c.DiskRoom == nil {
		c.DiskRoom = diskRoom
	}
	if c.SyncFile == nil {
		c.SyncFile = func(string) error { return nil }
	}
	if c.OnSync == nil {
		c.OnSync = func(string) {}
	}
	c.GroupSync = orDefault(c.GroupSync, time.Second)
	c.InlineMax = orDefault(c.InlineMax, 64<<10)
	c.SegmentSize = orDefault(c.SegmentSize, 64<<20)
	c.MaxOpen = orDefault(c.MaxOpen, 256)
	if c.BootID != "" {
		return c, nil
	}
	id, err := readBootID()
	c.BootID = id
	return c, err
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// Errors of the package, found by errors.Is. A full disk shows as syscall.ENOSPC, and so does ErrFull.
var (
	ErrOwner   = errors.New("spool belongs to another bucket or identity")
	ErrFull    = fmt.Errorf("spool has reached its limit: %w", syscall.ENOSPC) // Config.MaxBytes, Config.KeepFree
	ErrSealed  = errors.New("generation is sealed")
	ErrGone    = errors.New("generation has been released")
	ErrNoBase  = errors.New("bytes of the base are needed") // ReadAt without a BaseFunc
	ErrClosed  = errors.New("spool is closed")
	ErrDamaged = errors.New("bytes in the spool are missing or damaged")
	ErrFormat  = errors.New("spool is not in a format that this version knows")
)

// ErrLocked is the failure to open a spool that another process has open.
type ErrLocked struct {
	PID int // of the holder, 0 when it is not known
}

// Error names the holder.
func (e *ErrLocked) Error() string {
	if e.PID == 0 {
		return "spool is in use by another process"
	}
	return fmt.Sprintf("spool is in use by process %d", e.PID)
}
