package listing

// effort decides when many small requests pay for a large one whose size is not
// known. Every small request is counted; when need of them have come, the
// large one may be tried with twice as many pages. If it does not end within
// those, the next try needs four times as many. So the whole is never more
// than about three times the small requests alone, and what is worth it is found
// after a few of them.
type effort struct {
	count, need int
	never       bool // the large request is larger than any try
}

const (
	maxEffort = 32            // hence
	maxTry    = 2 * maxEffort // pages
)

// spend counts a small request, and gives the pages that may be spent
// instead of it, 0 for none yet. least is the smallest need.
func (e *effort) spend(least int) (pages int) {
	e.count++
	need := e.need
	if need == 0 {
		need = least
	}
	if e.count >= need && !e.never {
		e.count = 0
		return 2 * need
	}
	return 0
}

// tooLarge: a try of so many pages did not end. After the largest one there is no other: of what never pays half the requests would
// be in vain, and each small one that pays for it waits for all of them.
func (e *effort) tooLarge(pages, least int) {
	e.never = pages >= maxTry
	e.failed(least)
}

// failed: the large request was given up, or refused.
func (e *effort) failed(least int) { e.need = min(4*max(e.need, least), maxEffort) }

// done: it took so many pages.
func (e *effort) done(pages int) {
	e.count, e.need, e.never = 0, min(max(pages, 1), maxEffort), pages > maxTry
}
