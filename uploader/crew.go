package uploader

import "time"

// idleWorker is how long a goroutine waits for another operation before it ends.
const idleWorker = 10 * time.Second

// hand runs a round of an operation on a goroutine that has run one before, if one is idle. Its stack has grown to what a
// request to the store takes; to let a new one grow there costs more than a tenth of the upload of a small file.
func (u *Uploader) hand(round func()) {
	select {
	case u.crew <- round:
	default:
		u.wg.Go(func() { u.work(round) })
	}
}

// work runs rounds until there have been none for a while.
func (u *Uploader) work(round func()) {
	idle := time.NewTimer(idleWorker)
	defer idle.Stop()
	for {
		round()
		idle.Reset(idleWorker)
		select {
		case round = <-u.crew:
		case <-idle.C:
			return
		case <-u.ctx.Done():
			return
		}
	}
}
