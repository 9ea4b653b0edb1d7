package vfs

import (
	"context"
	"errors"
	"sync/atomic"
)

// UseKind is what a program has had of the store.
type UseKind uint8

// The kinds of uses.
const (
	UseRead UseKind = iota + 1 // a stored file was opened and read, in part or whole
	UseList                    // a directory was listed
)

// Use is one use that a program has made of what is stored, when it has ended: told to Config.Used. Whether the caches had the bytes makes no
// difference; what only the kernel's had is not known of. What is not in the store yet is none.
type Use struct {
	Kind UseKind
	Key  string // UseList: with a slash at its end
	Size int64  // UseRead: bytes of the object
	Err  error  // nil = it had what it wanted; else why nothing of it
}

func (v *FS) used(u Use) {
	if v.cfg.Used != nil {
		v.cfg.Used(u)
	}
}

// usage is how a handle or a stream was used until its end.
type usage struct {
	had    atomic.Bool           // something was answered
	failed atomic.Pointer[error] // the last failure
}

// note takes one answer. What a program breaks off has not failed.
func (u *usage) note(err error) {
	switch {
	case err == nil:
		u.had.Store(true)
	case !errors.Is(err, context.Canceled):
		u.failed.Store(&err)
	}
}

// outcome tells whether there was any, and how it ended: what had an answer is no failure.
func (u *usage) outcome() (used bool, err error) {
	if u.had.Load() {
		return true, nil
	}
	if failed := u.failed.Load(); failed != nil {
		return true, *failed
	}
	return false, nil
}
