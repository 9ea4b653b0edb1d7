// Package cache reads pinned versions of objects through a cache of blocks in
// memory.
//
// # What it owns
//
// Blocks of versions: a version is (key, ETag) and never changes, so a block
// is never invalidated, only aged out. It owns the GETs that fill them, and
// the readahead that keeps a sequential reader busy. It does not know paths, levels or
// pending writes.
//
// # Units
//
// There are two sizes of block. A *block* (128 KiB) is what sequential reads
// fetch, in ranges of many; a *page* (4 KiB) is what a random read fetches, so that
// bytes fetched / bytes asked stays at or under 1.25 for aligned reads of 4 KiB and
// more (an unaligned read touches one page more). Both are accounted in
// bytes: the last, short block of a file counts as what it holds.
//
// # Fetches
//
// A fetch is one ranged GET, pinned by If-Match (or by If-Unmodified-Since where the
// object has no ETag), that fills a run of adjacent missing blocks in order; each is
// delivered as soon as it is full. A fetch belongs to the cache, not to the
// reader that started it: readers wait for single blocks and leave when their ctx
// ends. A fetch ends early when its last waiter left so and nobody started it as
// readahead. Body breaks are resumed at the missing byte, at most 4 tries
// without progress in 18 s; failed requests have been retried by the
// provider and are not repeated here.
//
// An answer that covers a whole object of at most 8 MiB is checked against the
// object's checksum or MD5 ETag before a byte is delivered; a mismatch is
// fetched once more, then is ErrCorrupt. A request whose answer is late is sent a second time (see pace).
//
// Larger objects that are read from their beginning are verified as they are read: see verifier. Objects
// in parts that have checksums of the parts alone are fetched by the part when they are read in sequence, each part held back until
// it is right (see parts.go).
//
// # Memory
//
// Config.Memory is a ceiling: one account has all that is cached, that readers hold and that requests may still bring.
// Cached blocks make room; then readahead in flight that nobody waits for is ended; then readers wait, in the order
// of coming, holding nothing meanwhile (see budget). A reader never fails for want of memory.
// Blocks that a sequential reader of a large object is through with go first: the kernel has them.
//
// # Readahead
//
// window decides what to fetch; it is a pure state machine, one for each Stream, that knows sequential,
// backward, strided and random reads. Its
// size is bounded by Config.Readahead divided by the streams that were
// active in the last 10 s; one that is left (Cache.Leave) counts no more, and what was fetched ahead of it ends.
//
// # Locks and goroutines
//
//	verifier.mu < Cache.mu; Stream.mu < active's; all others are leaves; none is held over a store call
//
// Every goroutine is a fetch, a second request or the HEAD of a verification; Close ends and awaits them. Block buffers are
// counted by reference and reused: a buffer goes back to the pool when it is
// neither cached nor being read.
package cache
