package fs

import (
	"github.com/hanwen/go-fuse/v2/fuse"
)

// negative lets the kernel remember that a name does not exist for as long as
// this very answer is believed. go-fuse knows one timeout for all of them only;
// the protocol's form is a success without a node.
type negative struct{ fuse.RawFileSystem }

// Lookup turns an ENOENT with an entry timeout into a negative entry.
func (n negative) Lookup(cancel <-chan struct{}, header *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	status := n.RawFileSystem.Lookup(cancel, header, name, out)
	if status == fuse.ENOENT && out.EntryTimeout() > 0 {
		out.NodeId = 0
		return fuse.OK
	}
	return status
}
