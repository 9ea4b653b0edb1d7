package cache

import "sync/atomic"

// Stats are counters since New, and gauges.
type Stats struct {
	Hits, Misses int64 // blocks found, and blocks waited for
	Gets         int64 // GET requests
	Hedged       int64 // of them second ones, as the first had no answer in time
	Fetched      int64 // bytes that GETs brought
	Served       int64 // bytes that readers got
	Resumed      int64 // bodies that broke and were resumed
	Corrupt      int64 // answers that did not match their checksum
	Evicted      int64 // blocks that had to make room

	Unverified int64 // versions read, of the latest few thousand, for all or some bytes of which nothing vouches but the connection
	Waited     int64 // readers that had to wait for memory
	Dropped    int64 // readaheads that were given up for them

	InFlight int   // GETs running
	Blocks   int   // cached
	Bytes    int64 // cached, overhead included
	Held     int64 // bytes of the budget that are in use: cached, in flight, being read
}

type counters struct {
	hits, misses, gets, fetched, served, resumed, corrupt, dropped, hedged atomic.Int64
}

// Stats returns the counters.
func (c *Cache) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Stats{
		Hits: c.count.hits.Load(), Misses: c.count.misses.Load(),
		Gets: c.count.gets.Load(), Fetched: c.count.fetched.Load(), Served: c.count.served.Load(),
		Resumed: c.count.resumed.Load(), Corrupt: c.count.corrupt.Load(), Evicted: c.table.evicted,
		Unverified: c.unverified, Hedged: c.count.hedged.Load(), Waited: c.budget.waits, Dropped: c.count.dropped.Load(),
		InFlight: c.inFlight, Blocks: c.table.recent.n + c.table.spent.n, Bytes: c.table.bytes(), Held: c.budget.used,
	}
}
