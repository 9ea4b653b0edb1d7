package vfs

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/cache"
	"github.com/s3levelfs/s3levelfs/fs/vfs/attrs"
	"github.com/s3levelfs/s3levelfs/fs/vfs/listing"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// Deps are the packages that an FS stands on. All but Presigner are required.
type Deps struct {
	Policy   *levels.Policy
	Store    store.Reader
	Uploader *uploader.Uploader
	Cache    *cache.Cache
	Listing  *listing.Index
	Attrs    *attrs.Index

	Presigner Presigner // nil = the store can make no URLs
}

// Presigner makes URLs by which anybody can read an object for a while, without asking the store. They end with the credentials that they
// are made of, if that is earlier.
type Presigner interface {
	PresignGet(ctx context.Context, key string, expires time.Duration) (string, error)
}

// AttrsMode says where the attributes of stored files come from.
type AttrsMode uint8

// The modes of --attrs.
const (
	AttrsAuto    AttrsMode = iota // exact in the identity's own prefixes, listing elsewhere
	AttrsExact                    // from the object's headers: one HEAD a file and machine
	AttrsListing                  // from the listing; only empty objects cost a HEAD
)

// Config are the options of an FS. The zero value works.
type Config struct {
	Attrs    AttrsMode
	UID, GID uint32 // owner of everything whose headers name none
	Umask    uint32 // cleared from the default modes
	ReadOnly bool   // EROFS for everything that writes

	MetadataTTL time.Duration // how long a listing is believed at open; 0 = 5 s
	AttrTTL     time.Duration // how long others' attributes are believed; 0 = 60 s

	URLExpires time.Duration // how long user.s3levelfs.url holds; 0 = 15 min

	// Pin bounds in bytes what is fetched so that a stored file goes on
	// being readable after it was unlinked or replaced while open; 0 = 64 MiB.
	Pin int64
	// TempDir is where such bytes are kept, in files without names; "" = os.TempDir().
	TempDir string

	// Created gives the headers that an object begins with which is made here; nil = none. It must be quick.
	Created func(key string) store.Headers

	// Used is told what programs have had of the store: files that they have read, directories that they have listed. It must be quick, and is
	// called by many goroutines; nil = none.
	Used func(Use)

	// Notify is told what the kernel should drop. It is called from a
	// goroutine of its own, one call at a time, never under a lock; nil = none.
	Notify func(Invalidation)

	Log *zap.Logger // nil = none
}

// Ref names the object of an operation on an inode. Path is relative to the
// mount without a leading slash, "" = the root. Ino, where not 0, finds an open
// file that has no name any more (unlinked or replaced); it wins over Path when
// Path now names another inode.
type Ref struct {
	Path string
	Ino  uint64
	Gen  uint64 // 0 = any
}

// Attr is what stat tells. Mode carries the file type (S_IFMT) besides the
// permission bits; Blocks are units of 512 bytes.
type Attr struct {
	Ino, Gen            uint64
	Mode                uint32
	UID, GID            uint32
	Nlink               uint32
	Size, Blocks        int64
	Atime, Mtime, Ctime time.Time
	TTL                 time.Duration // how long the kernel may believe entry and attributes; 0 = not at all
	Version             string        // identity of the bytes: ETag, or "local:…" while pending; equal = same bytes
}

// DirEntry is one entry of a directory, "." and ".." left out.
type DirEntry struct {
	Name string // escaped as the mount shows it
	Attr Attr   // Mode's type bits and Ino are always right; the rest as far as known
	Full bool   // all of Attr is known: a lookup of it would send no request

	found *sighted // for Again; nil = it has to be looked up
}

// SetAttr lists what to change; nil = leave.
type SetAttr struct {
	Mode         *uint32 // permission bits; type bits are ignored
	UID, GID     *uint32
	Size         *int64 // bytes, ≥ 0
	Atime, Mtime *time.Time
}

// Statfs is what statfs(2) tells: S3 has no size, so it is a believable constant.
type Statfs struct {
	BlockSize           uint32 // bytes
	Blocks, Free, Avail uint64 // blocks
	Files, FilesFree    uint64
	NameLen             uint32 // bytes
}

// Invalidation is something that the kernel should drop from its caches.
type Invalidation struct {
	Parent  string // path of the directory
	Name    string // the entry in it
	Ino     uint64 // 0 = none: only the entry
	Content bool   // also the inode's cached pages
	Deleted bool   // the name is gone
}

// Flags of Rename, from linux/fs.h.
const (
	RenameNoReplace uint32 = 1 << 0
	RenameExchange  uint32 = 1 << 1
	RenameWhiteout  uint32 = 1 << 2
)

// Flags of SetXattr, from linux/xattr.h.
const (
	XattrCreate  uint32 = 1
	XattrReplace uint32 = 2
)

// Modes of Handle.Allocate, from linux/falloc.h.
const (
	FallocKeepSize  uint32 = 0x01
	FallocPunchHole uint32 = 0x02
	FallocZeroRange uint32 = 0x10
)

// Values of whence for Handle.Seek, from linux/fs.h.
const (
	SeekData uint32 = 3
	SeekHole uint32 = 4
)

// RootIno is the inode number of the mount's root.
const RootIno uint64 = 1
