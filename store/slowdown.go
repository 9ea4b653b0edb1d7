package store

import "context"

type slowDownKey struct{}

// WithSlowDown has f called when the store answers an attempt of a call under the context with the wish for fewer requests
// (503 SlowDown, 429), which the provider then repeats by itself. f must be quick and safe for concurrent use.
func WithSlowDown(ctx context.Context, f func()) context.Context {
	return context.WithValue(ctx, slowDownKey{}, f)
}

// TellSlowDown calls what WithSlowDown gave, if it did: for providers.
func TellSlowDown(ctx context.Context) {
	if f, ok := ctx.Value(slowDownKey{}).(func()); ok {
		f()
	}
}
