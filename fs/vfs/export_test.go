package vfs

import (
	"context"
	"fmt"
)

// Settle waits until the events of everything that this mount changed have been taken in.
func (v *FS) Settle(ctx context.Context) {
	for _, key := range v.due.below("") {
		v.due.wait(ctx, key)
	}
}

// Dump describes a directory, to read a failure.
func (v *FS) Dump(dir string) string {
	e, f, err := v.listing.ReadDir(context.Background(), dir)
	v.mu.Lock()
	defer v.mu.Unlock()
	return fmt.Sprintf("DUMP %s: listing %+v %v %v, children %+v, ended %v, due %q\n", dir, e, f, err, v.up.Children(dir), v.ended, v.due.below(dir))
}
