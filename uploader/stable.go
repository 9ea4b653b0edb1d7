package uploader

import (
	"context"
	"fmt"

	"github.com/s3levelfs/s3levelfs/store"
)

// stable waits until what the store has acknowledged is on its stable storage, where that is the
// caller's to ask for.
func (u *Uploader) stable(ctx context.Context) error {
	s, ok := u.store.(store.Syncer)
	if !ok {
		return nil
	}
	if err := s.Sync(ctx); err != nil {
		return fmt.Errorf("sync of the store: %w", err)
	}
	return nil
}
