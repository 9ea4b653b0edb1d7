package uploader

// Kill ends the goroutines as a kill of the process would end them: nothing is
// sealed, sent, logged or told any more.
func (u *Uploader) Kill() {
	u.mu.Lock()
	u.closed = true
	u.mu.Unlock()
	u.cancel()
	u.events.close()
	u.wg.Wait()
}

// ConflictName and LooksTemporary are tested by themselves.
var (
	ConflictName   = conflictName
	LooksTemporary = looksTemporary
)
