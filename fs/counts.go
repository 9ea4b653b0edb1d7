package fs

import (
	"sync/atomic"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// counts counts what the kernel asks for. What it answers from its own caches is not there: a file that is read again from the page
// cache has no reads.
type counts struct {
	fuse.RawFileSystem

	lookup, getattr, open, read, write, flush, readdir atomic.Int64

	handles atomic.Int64 // that are open: files' and directories'
}

// snapshot is the counts by kind.
func (c *counts) snapshot() map[string]int64 {
	return map[string]int64{
		"lookup": c.lookup.Load(), "getattr": c.getattr.Load(), "open": c.open.Load(), "read": c.read.Load(),
		"write": c.write.Load(), "flush": c.flush.Load(), "readdir": c.readdir.Load(),
	}
}

func (c *counts) Lookup(cancel <-chan struct{}, header *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	c.lookup.Add(1)
	return c.RawFileSystem.Lookup(cancel, header, name, out)
}

func (c *counts) GetAttr(cancel <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	c.getattr.Add(1)
	return c.RawFileSystem.GetAttr(cancel, in, out)
}

func (c *counts) Open(cancel <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	c.open.Add(1)
	return c.opened(c.RawFileSystem.Open(cancel, in, out))
}

func (c *counts) Create(cancel <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	c.open.Add(1)
	return c.opened(c.RawFileSystem.Create(cancel, in, name, out))
}

func (c *counts) OpenDir(cancel <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	return c.opened(c.RawFileSystem.OpenDir(cancel, in, out))
}

// opened counts a handle that the kernel gets. It gives each back by one release.
func (c *counts) opened(status fuse.Status) fuse.Status {
	if status.Ok() {
		c.handles.Add(1)
	}
	return status
}

func (c *counts) Release(cancel <-chan struct{}, in *fuse.ReleaseIn) {
	c.RawFileSystem.Release(cancel, in)
	c.handles.Add(-1)
}

func (c *counts) ReleaseDir(in *fuse.ReleaseIn) {
	c.RawFileSystem.ReleaseDir(in)
	c.handles.Add(-1)
}

func (c *counts) Read(cancel <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	c.read.Add(1)
	return c.RawFileSystem.Read(cancel, in, buf)
}

// Writev comes for each WRITE; Write is go-fuse's second choice for the same request.
func (c *counts) Writev(cancel <-chan struct{}, in *fuse.WriteIn, data [][]byte) (uint32, fuse.Status) {
	c.write.Add(1)
	return c.RawFileSystem.Writev(cancel, in, data)
}

func (c *counts) Flush(cancel <-chan struct{}, in *fuse.FlushIn) fuse.Status {
	c.flush.Add(1)
	return c.RawFileSystem.Flush(cancel, in)
}

func (c *counts) ReadDir(cancel <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	c.readdir.Add(1)
	return c.RawFileSystem.ReadDir(cancel, in, out)
}

func (c *counts) ReadDirPlus(cancel <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	c.readdir.Add(1)
	return c.RawFileSystem.ReadDirPlus(cancel, in, out)
}
