package listing

// effort decides when many small requests pay for a large one whose size is not
// known. Every small request is counted; when need of them have come, the
// large one may be tried with twice as many pages. If it does not end within
// those, the next try needs four times as many. So the whole is never more
// than about three times the small requests alone, and what is worth it is found
// after a few of them.
type effort struct {
	count, need int
}

const maxEffort = 32 // hence at most 64 pages a try

// spend counts a small request, and gives the pages that may be spent
// instead of it, 0 for none yet. least is the smallest need.
func (e *effort) spend(least int) (pages int) {
	e.count++
	need := e.need
	if need == 0 {
		need = least
	}
	if e.count >= need {
		e.count = 0
		return 2 * need
	}
	return 0
}

// failed: the large request was given up, or refused.
func (e *effort) failed(least int) { e.need = min(4*max(e.need, least), maxEffort) }

// done: it took so many pages.
func (e *effort) done(pages int) { e.count, e.need = 0, min(max(pages, 1), maxEffort) }
