package daemon

import (
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/s3levelfs/s3levelfs/internal/feed"
	"github.com/s3levelfs/s3levelfs/internal/telemetry"
)

// Watch gives what happens below a path, or to keys of a prefix; what concerns no single file is given always.
func (c *controller) Watch(ctx context.Context, r telemetry.WatchRequest) (iter.Seq[any], error) {
	if _, err := c.prefixes(r.Path); err != nil {
		return nil, err
	}
	events, ok := c.s.feed.Listen(ctx, func(e feed.Event) bool {
		return e.Key == "" || strings.HasPrefix(e.Key, r.Prefix) && (below(e.Path, r.Path) || below(e.Other, r.Path))
	})
	if !ok {
		return nil, errors.New("as many `s3levelfs watch` as may listen to one mount do so already: end one")
	}
	return func(yield func(any) bool) {
		for e := range events {
			if !yield(e) {
				return
			}
		}
	}, nil
}

// below tells whether a path is dir, or in it; everything is in "".
func below(path, dir string) bool {
	rest, ok := strings.CutPrefix(path, dir)
	return ok && (dir == "" || rest == "" || rest[0] == '/')
}
