package cache

import (
	"errors"
	"io/fs"
)

// PrefetchMax is the size in bytes up to which [Cache.Prefetch] fetches an object.
const PrefetchMax = 1 << 20

const (
	// prefetchRequests is how many GETs may run beside those of Prefetch, and with them: readers come first, and who
	// has so many readers at a time has no need of it.
	prefetchRequests = 16
	// prefetchShare is the part of the memory that one such object may have: some dozens of them stay until they are read.
	prefetchShare = 64
)

// ErrBusy says that so much is being fetched that nothing is fetched ahead.
var ErrBusy = errors.New("too much is being fetched already")

// Prefetch begins to fetch a whole object that a reader is expected to want soon, and returns; it is cached as
// if it had been read, and a reader that comes meanwhile waits for it. What is cached or on its way already costs nothing. An object
// without an ETag, an empty one and one that is large (PrefetchMax, or a sixty-fourth of the memory) is left alone, which is
// no error; ErrBusy and fs.ErrClosed are. failed, if not nil, is told once, from another goroutine, when the fetch fails.
func (c *Cache) Prefetch(obj Object, failed func(error)) error {
	if obj.ETag == "" || obj.Size <= 0 || obj.Size > min(PrefetchMax, c.cfg.Memory/prefetchShare) {
		return nil
	}
	v := c.version(obj, nil)
	c.mu.Lock()
	defer c.mu.Unlock()
	missing := int64(0)
	for missing < v.size {
		end, known := c.known(v, missing, blockSize)
		if !known {
			break
		}
		missing = end
	}
	switch {
	case c.closed:
		return fs.ErrClosed
	case missing == v.size:
		return nil
	case c.inFlight >= prefetchRequests:
		return ErrBusy
	}
	c.fetchMissing(v, span{0, v.size}, blockSize, fetchKind{whole: true, ahead: true})
	if failed == nil {
		return nil
	}
	first := c.flying[v.unit(missing, blockSize)]
	c.fetches.Go(func() {
		<-first.done
		if first.err != nil {
			failed(first.err)
		}
	})
	return nil
}
