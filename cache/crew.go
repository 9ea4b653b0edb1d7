package cache

import "time"

// idleFetcher is how long a goroutine waits for another fetch before it ends.
const idleFetcher = 10 * time.Second

// hand runs a fetch on a goroutine that has run one before, if one is idle. Its stack has grown to what a request to the store
// takes; to let a new one grow there costs a twelfth of the processor's time for a small file.
func (c *Cache) hand(fetch func()) {
	select {
	case c.crew <- fetch:
	default:
		c.fetches.Go(func() { c.work(fetch) })
	}
}

// work runs fetches until there have been none for a while.
func (c *Cache) work(fetch func()) {
	idle := time.NewTimer(idleFetcher)
	defer idle.Stop()
	for {
		fetch()
		idle.Reset(idleFetcher)
		select {
		case fetch = <-c.crew:
		case <-idle.C:
			return
		case <-c.ctx.Done():
			return
		}
	}
}
