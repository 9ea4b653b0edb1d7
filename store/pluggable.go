package store

import (
	"context"
	"fmt"
	"io"
	"iter"
	"sync"
)

// Pluggable makes a provider of something that has the whole contract already: S is its store, open opens it when the provider is
// configured. [FromProvider] gives that store as it is.
func Pluggable[S Store](name string, open func(ctx context.Context, o Options) (S, error), settings ...Setting) Provider {
	return &pluggable[S]{name: name, open: open, settings: settings}
}

type pluggable[S Store] struct {
	name     string
	open     func(ctx context.Context, o Options) (S, error)
	settings []Setting

	mu     sync.Mutex
	opened bool
	store  S
}

// contract is a store of the provider's type, which may be nil: for what it can do.
func (p *pluggable[S]) contract() Store { return p.store }

// whole is the provider's store.
func (p *pluggable[S]) whole() (Store, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.opened {
		return nil, &Error{Op: "open", Key: p.name, Kind: ErrInvalid, Err: fmt.Errorf("provider %q is not configured: call Configure first", p.name)}
	}
	return p.store, nil
}

// ProviderName implements [Provider].
func (p *pluggable[S]) ProviderName() string { return p.name }

// Category implements [Provider].
func (p *pluggable[S]) Category() string { return CategoryStorage }

// Settings implements [Configurable].
func (p *pluggable[S]) Settings() []Setting { return p.settings }

// Configure implements [Provider].
func (p *pluggable[S]) Configure(ctx context.Context, o Options) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.opened {
		return fmt.Errorf("provider %q is configured already: make another one", p.name)
	}
	s, err := p.open(ctx, o)
	if err != nil {
		return err
	}
	p.store, p.opened = s, true
	return nil
}

// Get implements [Provider].
func (p *pluggable[S]) Get(ctx context.Context, key string, r Range) (io.ReadCloser, Object, error) {
	s, err := p.whole()
	if err != nil {
		return nil, Object{}, err
	}
	return s.Get(ctx, key, r, Cond{})
}

// Put implements [Provider].
func (p *pluggable[S]) Put(ctx context.Context, key string, body *io.SectionReader, h Headers) (PutResult, error) {
	s, err := p.whole()
	if err != nil {
		return PutResult{}, err
	}
	return s.Put(ctx, key, body, h, Cond{})
}

// Remove implements [Provider].
func (p *pluggable[S]) Remove(ctx context.Context, key string) error {
	s, err := p.whole()
	if err != nil {
		return err
	}
	return s.Delete(ctx, key, Cond{})
}

// List implements [Provider].
func (p *pluggable[S]) List(ctx context.Context, prefix, after string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		s, err := p.whole()
		if err != nil {
			yield(Object{}, err)
			return
		}
		for page, err := range s.List(ctx, prefix, ListOptions{StartAfter: after}) {
			if err != nil {
				yield(Object{}, err)
				return
			}
			for _, o := range page.Objects {
				if !yield(o, nil) {
					return
				}
			}
		}
	}
}
