package listing

import "time"

// near is how long a request takes at most that a server on this machine, or beside it, answers. There the server's work is what takes
// the time, and asking for several pages at once makes each take longer.
const near = 5 * time.Millisecond

// pace knows how long a request to the store takes by itself, whatever it asks for: as long as the shortest of late.
type pace struct {
	least time.Duration
	known bool
}

// forgets is the share by which each longer request raises what is held to be the shortest, if its answer was small: that of a
// page is long for what is in it.
const (
	forgets = 64
	small   = 100 // entries
)

func (p *pace) observe(took time.Duration, entries int) {
	switch {
	case !p.known || took < p.least:
		p.least, p.known = took, true
	case entries <= small:
		p.least += (took - p.least) / forgets
	}
}

// distant: most of the time of a small request is the way, so that requests at once cost little more than one.
func (p *pace) distant() bool { return p.least >= near }
