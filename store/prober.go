package store

import (
	"context"
	"errors"
	"fmt"
)

// Prober is implemented by stores that can ask for the right to write without reading and without making anything: the request is one that
// must be refused after the caller's rights were judged.
type Prober interface {
	// ProbePut gives nil where key may be put under c, an error of kind ErrPermission where it may not; any other error answers nothing. stored:
	// the server has taken it all the same, and the object is the caller's to remove.
	ProbePut(ctx context.Context, key string, c Cond) (stored bool, err error)
}

// ProbePut asks s, which may be a decorator of a store that can not: the error is [errors.ErrUnsupported] then, and no request was sent.
func ProbePut(ctx context.Context, s Store, key string, c Cond) (stored bool, err error) {
	p, ok := s.(Prober)
	if !ok {
		return false, fmt.Errorf("probe %q: %w", key, errors.ErrUnsupported)
	}
	return p.ProbePut(ctx, key, c)
}
