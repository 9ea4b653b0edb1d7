package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
)

// Registry knows providers by name: Amplify's addPluggable, getPluggable and removePluggable. It is safe for concurrent use.
type Registry struct {
	mu    sync.RWMutex
	known map[string]*registered // by name and by alias
}

// registered is a provider that can be made.
type registered struct {
	name    string
	aliases []string
	make    func() Provider
}

// Description says what a provider is and what it can do.
type Description struct {
	Name     string    `json:"name"`
	Aliases  []string  `json:"aliases"`
	Category string    `json:"category"`
	Can      []string  `json:"can"` // as Capabilities names it
	Settings []Setting `json:"settings"`
}

// NewRegistry makes a registry without providers.
func NewRegistry() *Registry { return &Registry{known: map[string]*registered{}} }

// AddPluggable makes a provider known under its own name and others. Each use calls make for one that is not configured. A name that is
// known is an error, and so is a provider without a name or of another category.
func (r *Registry) AddPluggable(make func() Provider, aliases ...string) error {
	p := make()
	e := &registered{name: p.ProviderName(), aliases: slices.Clone(aliases), make: make}
	if p.Category() != CategoryStorage {
		return fmt.Errorf("provider %q: is of category %q: must be %q", e.name, p.Category(), CategoryStorage)
	}
	names := append([]string{e.name}, aliases...)
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, n := range names {
		switch {
		case n == "" || strings.ContainsAny(n, " \t\n\"'[]"):
			return fmt.Errorf("provider %q: name %q: must not be empty nor have blanks, quotes or brackets", e.name, n)
		case r.known[n] != nil || slices.Contains(names[:i], n):
			return fmt.Errorf("provider %q is known already: give it another name, or remove the other one first", n)
		}
	}
	for _, n := range names {
		r.known[n] = e
	}
	return nil
}

// GetPluggable makes the provider of a name or alias, not configured yet.
func (r *Registry) GetPluggable(name string) (Provider, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	e := r.known[name]
	if e == nil {
		return nil, r.unknown(name)
	}
	return e.make(), nil
}

// RemovePluggable forgets a provider with all its names. What was made of it goes on.
func (r *Registry) RemovePluggable(name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.known[name]
	if e == nil {
		return r.unknown(name)
	}
	for _, n := range append([]string{e.name}, e.aliases...) {
		delete(r.known, n)
	}
	return nil
}

// unknown is the error of a name. Called with mu held.
func (r *Registry) unknown(name string) error {
	return fmt.Errorf("provider %q is not known: known are %q", name, r.names())
}

// names lists what is known, without aliases. Called with mu held.
func (r *Registry) names() []string {
	var names []string
	for n, e := range r.known {
		if n == e.name {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return names
}

// Open makes the provider of a name or alias, configures it and gives its bucket.
func (r *Registry) Open(ctx context.Context, name string, o Options) (Store, error) {
	p, err := r.GetPluggable(name)
	if err != nil {
		return nil, err
	}
	d := describe(p)
	if err := d.Check(o.Extra); err != nil {
		return nil, err
	}
	if err := p.Configure(ctx, o); err != nil {
		return nil, err
	}
	s, err := FromProvider(p)
	if err != nil {
		if c, ok := p.(io.Closer); ok { // it may have begun something when it was configured
			err = errors.Join(err, c.Close())
		}
		return nil, err
	}
	return s, nil
}

// Providers describes what is known, in the order of the names.
func (r *Registry) Providers() []Description {
	r.mu.RLock()
	defer r.mu.RUnlock()
	all := []Description{}
	for _, n := range r.names() {
		all = append(all, r.known[n].describe())
	}
	return all
}

// Describe describes the provider of a name or alias.
func (r *Registry) Describe(name string) (Description, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	e := r.known[name]
	if e == nil {
		return Description{}, r.unknown(name)
	}
	return e.describe(), nil
}

func (e *registered) describe() Description {
	d := describe(e.make())
	d.Aliases = append(d.Aliases, e.aliases...)
	return d
}

// describe says what a provider tells of itself. No list is nil: in JSON it is an empty one.
func describe(p Provider) Description {
	d := Description{Name: p.ProviderName(), Aliases: []string{}, Category: p.Category(), Can: append([]string{}, Capabilities(p)...), Settings: []Setting{}}
	if c, ok := p.(Configurable); ok {
		d.Settings = append(d.Settings, c.Settings()...)
	}
	return d
}

//nolint:gochecknoglobals // the registry is the point of Register, as in database/sql
var providers = NewRegistry()

// Register makes a provider known to the program, under name, which must be its own, and aliases. It is for init functions, and panics
// where AddPluggable has an error: that is a programming error.
func Register(name string, make func() Provider, aliases ...string) {
	if own := make().ProviderName(); own != name {
		panic(fmt.Sprintf("store: provider %q registered as %q", own, name))
	}
	if err := providers.AddPluggable(make, aliases...); err != nil {
		panic("store: " + err.Error())
	}
}

// Open opens a bucket with a registered provider.
func Open(ctx context.Context, provider string, o Options) (Store, error) {
	return providers.Open(ctx, provider, o)
}

// Providers describes the registered providers, in the order of their names.
func Providers() []Description { return providers.Providers() }

// Describe describes the registered provider of a name or alias.
func Describe(name string) (Description, error) { return providers.Describe(name) }
