package transfer

import (
	"context"
	"errors"
	"slices"

	"github.com/s3levelfs/s3levelfs/store"
)

// Failure is one key that could not be done.
type Failure struct {
	Key string
	Err error
}

// Remove removes keys, as many in a request as the store takes. An absent key is no failure. removed is told of each batch. err is the
// failure of a whole request: those that follow it are not removed.
func (c *Client) Remove(ctx context.Context, keys []string, removed func([]string)) (failed []Failure, err error) {
	for batch := range slices.Chunk(keys, max(c.limits.MaxDelete, 1)) {
		bad, err := c.removeBatch(ctx, batch)
		if err != nil {
			return failed, err
		}
		gone := batch
		if len(bad) > 0 {
			failed = append(failed, bad...)
			gone = slices.DeleteFunc(slices.Clone(batch), func(k string) bool {
				return slices.ContainsFunc(bad, func(f Failure) bool { return f.Key == k })
			})
		}
		if removed != nil {
			removed(gone)
		}
	}
	return failed, nil
}

func (c *Client) removeBatch(ctx context.Context, batch []string) (failed []Failure, err error) {
	if len(batch) == 1 { // not all servers know the other request
		_, err := c.try(ctx, func() error { return c.store.Delete(ctx, batch[0], store.Cond{}) })
		return nil, err
	}
	left := batch
	_, err = c.try(ctx, func() error {
		bad, err := c.store.DeleteMany(ctx, left)
		if err != nil {
			return err
		}
		failed, left = failed[:0], left[:0:0]
		var again error
		for _, f := range bad {
			failed = append(failed, Failure{f.Key, f.Err})
			left = append(left, f.Key)
			if again == nil && errors.Is(f.Err, store.ErrTransient) {
				again = f.Err
			}
		}
		return again
	})
	if len(failed) > 0 {
		return failed, nil
	}
	return nil, err
}
