package fs

import "github.com/hanwen/go-fuse/v2/fuse"

// loan is bytes of a file where they lie; Done gives them back.
type loan interface {
	Slices() [][]byte
	Done()
}

// lentReply is the answer to a read whose bytes go from the cache's blocks to the kernel: go-fuse writes what Slices gives by one writev(2), and
// calls Done after it. Without it they would be copied once more, into a buffer of go-fuse's.
type lentReply struct {
	loan

	size int
}

var _ fuse.ReadResult = (*lentReply)(nil)

// Size is the bytes of the reply.
func (r *lentReply) Size() int { return r.size }

// Slices is what go-fuse asks for where the kernel is written to. Source: go-fuse, fuse/read.go, withSlice.
func (r *lentReply) Slices() ([][]byte, fuse.Status) { return r.loan.Slices(), fuse.OK }

// Bytes copies the reply into buf, for who does not write slices.
func (r *lentReply) Bytes(buf []byte) ([]byte, fuse.Status) {
	n := 0
	for _, s := range r.loan.Slices() {
		n += copy(buf[n:], s)
	}
	return buf[:n], fuse.OK
}
