package vfs

import "syscall"

// Reopen opens a file for reading that has lost its name, while somebody else has it open: its bytes are still
// there. nil: it is not open, or the flags ask for more than that.
func (v *FS) Reopen(ino, gen uint64, flags uint32) *Handle {
	if changes(flags) || flags&syscall.O_ACCMODE == syscall.O_WRONLY {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, of := range v.gone[ino] {
		if of.gen == gen {
			of.handles++
			path, _ := v.policy.PathOf(of.key)
			return newHandle(v, of, path, flags)
		}
	}
	return nil
}
