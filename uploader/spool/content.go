package spool

import "io"

// BaseFunc reads len(p) bytes of the base at off, all or an error.
type BaseFunc func(p []byte, off int64) error

// Content is the bytes of one generation. Its methods are safe for concurrent use.
type Content struct{}

// Gen is the generation's id.
func (c *Content) Gen() string { panic("later") }

// Size is the length in bytes.
func (c *Content) Size() int64 { panic("later") }

// Whole reports whether all bytes are ours.
func (c *Content) Whole() bool { panic("later") }

// Sealed reports whether the generation is immutable.
func (c *Content) Sealed() bool { panic("later") }

// Missing lists the ranges that only the base has.
func (c *Content) Missing() []Range { panic("later") }

// Extents lists where the bytes are, now.
func (c *Content) Extents() []Extent { panic("later") }

// WriteAt writes p at off; bytes between the old end and off become zeros. All or nothing: after an error the content
// is as before. Errors: ErrFull, ErrSealed, what wraps syscall.ENOSPC.
func (c *Content) WriteAt(p []byte, off int64) (int, error) { panic("later") }

// ReadAt reads like io.ReaderAt; base gives the bytes that are not ours.
func (c *Content) ReadAt(p []byte, off int64, base BaseFunc) (int, error) { panic("later") }

// Section is a reader of the whole content, as of now.
func (c *Content) Section(base BaseFunc) *io.SectionReader { panic("later") }

// Truncate sets the size; what is added is zeros.
func (c *Content) Truncate(size int64) error { panic("later") }

// Allocate makes the content at least off+n bytes long; what is added is zeros.
func (c *Content) Allocate(off, n int64) error { panic("later") }

// PunchHole makes [off, off+n) zeros, as far as it is inside of the content.
func (c *Content) PunchHole(off, n int64) error { panic("later") }

// FillBase takes p as bytes of the base at off: what is ours stays. It is allowed on a sealed generation,
// whose bytes it does not change; log a Pin with Extents() afterwards.
func (c *Content) FillBase(off int64, p []byte) error { panic("later") }

// Clone makes the next generation on top of this one. It shares storage, not bytes to write to.
func (c *Content) Clone(gen string) *Content { panic("later") }

// Seal makes the generation immutable and lists its extents for the record.
func (c *Content) Seal() []Extent { panic("later") }

// Release gives up the generation's hold on storage; its files go after the next group sync.
func (c *Content) Release() { panic("later") }
