package vfs

import "context"

// Settle waits until the events of everything that this mount changed have been taken in.
func (v *FS) Settle(ctx context.Context) {
	for _, key := range v.due.below("") {
		v.due.wait(ctx, key)
	}
}
