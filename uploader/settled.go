package uploader

// Between a caller's look at the overlay and what it does then, what it has found there may have been stored. A base that nobody knows
// would do for the next request, which asks the store first; but not for one that is sent much later, or by another process: a
// delete of an unknown version deletes nothing then, and what is opened on top of one would begin empty.

// found gives the base that a caller has found at a key. One that was pending is known as long as it is, or an open file knows it; else it
// is ErrSettled. Called with mu held.
func (u *Uploader) found(key string, b Base) (Base, error) {
	if b.State != Pending {
		return b, nil
	}
	f, top := u.files[key], u.fold.queues[key].top()
	switch {
	case top != nil && top.kind != opAttr:
		return Base{}, nil // what follows in the queue is told by what is before
	case f != nil && !f.lost:
		return f.base, nil
	}
	return Base{}, ErrSettled
}
