package cache

import "github.com/s3levelfs/s3levelfs/store"

// Checker compares the bytes of a whole object with what the store says of them, for programs that read without a cache. It is
// an io.Writer of the bytes in order.
type Checker struct{ c *checker }

// NewChecker takes the object as a HEAD or a GET of all of it tells of it. nil: it has no checksum of the whole.
func NewChecker(o store.Object) *Checker {
	c := newChecker(o)
	if c == nil {
		return nil
	}
	return &Checker{c}
}

// Write adds bytes. It never fails.
func (c *Checker) Write(p []byte) (int, error) {
	c.c.write(p)
	return len(p), nil
}

// Verify gives [ErrCorrupt] when the bytes are not the object's.
func (c *Checker) Verify() error { return c.c.done() }
