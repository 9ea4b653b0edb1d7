package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/memstore"
)

// named is a provider of another name and category, with settings.
type named struct {
	*minimal
	name, category string
}

func (n named) ProviderName() string { return n.name }
func (n named) Category() string     { return n.category }

func (n named) Settings() []store.Setting {
	return []store.Setting{{Name: "root", Usage: "where", Required: true}, {Name: "token", Usage: "key", Secret: true}}
}

func maker(p store.Provider) func() store.Provider { return func() store.Provider { return p } }

func TestRegistry(t *testing.T) {
	r := store.NewRegistry()
	m := newMinimal()
	n := named{newMinimal(), "other", store.CategoryStorage}
	if err := errors.Join(r.AddPluggable(maker(m), "min", "m"), r.AddPluggable(maker(n))); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		p       store.Provider
		aliases []string
		want    string
	}{
		{m, nil, "known already"},
		{named{m, "min", store.CategoryStorage}, nil, "known already"},
		{named{m, "new", store.CategoryStorage}, []string{"m"}, "known already"},
		{named{m, "new", store.CategoryStorage}, []string{"new"}, "known already"},
		{named{m, "", store.CategoryStorage}, nil, "must not be empty"},
		{named{m, "a b", store.CategoryStorage}, nil, "blanks"},
		{named{m, "new", "Auth"}, nil, `category "Auth"`},
	} {
		if err := r.AddPluggable(maker(c.p), c.aliases...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("add %q %q: %v, want %s", c.p.ProviderName(), c.aliases, err, c.want)
		}
	}
	want := []store.Description{
		{Name: "minimal", Aliases: []string{"min", "m"}, Category: "Storage", Can: []string{}, Settings: []store.Setting{}},
		{Name: "other", Aliases: []string{}, Category: "Storage", Can: []string{}, Settings: n.Settings()},
	}
	if d := cmp.Diff(want, r.Providers()); d != "" {
		t.Errorf("providers (-want +got):\n%s", d)
	}
	for _, name := range []string{"minimal", "min", "m"} {
		if p, err := r.GetPluggable(name); err != nil || p != store.Provider(m) {
			t.Errorf("get %q: %v, %v", name, p, err)
		}
	}
	_, err := r.Open(t.Context(), "nowhere", store.Options{})
	if err == nil || err.Error() != `provider "nowhere" is not known: known are ["minimal" "other"]` {
		t.Errorf("an unknown provider: %v", err)
	}
	if err := r.RemovePluggable("m"); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"minimal", "min", "m"} {
		if err := r.RemovePluggable(name); err == nil {
			t.Errorf("%q is still known", name)
		}
	}
	if err := r.AddPluggable(maker(m)); err != nil {
		t.Errorf("again: %v", err)
	}
}

// TestOpenConfigures: a provider gets its options, its own settings are checked before, and its error is the caller's.
func TestOpenConfigures(t *testing.T) {
	r := store.NewRegistry()
	n, m := named{newMinimal(), "other", store.CategoryStorage}, newMinimal()
	if err := errors.Join(r.AddPluggable(maker(n)), r.AddPluggable(maker(m))); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		provider string
		extra    store.Settings
		want     string
	}{
		{"other", nil, `setting "root" is missing: set it under [provider.other]`},
		{"other", store.Settings{"root": "/x", "toke": "hunter2"}, `setting "toke" is not known: it has ["root" "token"]`},
		{"minimal", store.Settings{"root": "/x"}, `setting "root" is not known, it has none`},
	} {
		if _, err := r.Open(t.Context(), c.provider, store.Options{Extra: c.extra}); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter") {
			t.Errorf("%s %v: %v, want %s", c.provider, c.extra, err, c.want)
		}
	}
	o := store.Options{Bucket: "b", MaxAttempts: 2, Extra: store.Settings{"root": "/x", "token": "hunter2"}}
	s, err := r.Open(t.Context(), "other", o)
	if err != nil || s.Limits().Multipart() || n.options.Bucket != "b" || n.options.MaxAttempts != 2 || n.options.Extra["token"] != "hunter2" {
		t.Errorf("open: %v, configured with %+v", err, n.options)
	}
	broken := errors.New("no such directory")
	n.fail = func(string, string) error { return broken }
	if _, err := r.Open(t.Context(), "other", o); !errors.Is(err, broken) {
		t.Errorf("open: %v, want the provider's error", err)
	}
}

// TestSettingsNeverPrint: not by any verb, not in JSON, not inside of options.
func TestSettingsNeverPrint(t *testing.T) {
	o := store.Options{Extra: store.Settings{"token": "hunter2"}}
	doc, err := json.Marshal(o.Extra)
	if err != nil {
		t.Fatal(err)
	}
	all := string(doc)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		all += fmt.Sprintf(verb, o) + fmt.Sprintf(verb, o.Extra) + fmt.Sprintf(verb, &o.Extra)
	}
	if strings.Contains(all, "hunter") || strings.Contains(all, fmt.Sprintf("%x", "hunter")) || !strings.Contains(all, "token") {
		t.Error(all)
	}
}

// TestBuiltinIsPluggable: a provider with the whole contract works by its seven methods, too, once it is configured.
func TestBuiltinIsPluggable(t *testing.T) {
	p := memstore.Provider()
	if err := p.Remove(t.Context(), "k"); err == nil || !strings.Contains(err.Error(), "not configured") {
		t.Errorf("before it is configured: %v", err)
	}
	if _, err := store.FromProvider(p); err == nil {
		t.Error("a store of what is not configured")
	}
	if err := p.Configure(t.Context(), store.Options{}); err != nil {
		t.Fatal(err)
	}
	if err := p.Configure(t.Context(), store.Options{}); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("configured twice: %v", err)
	}
	for _, k := range []string{"b", "a", "c"} {
		if _, err := p.Put(t.Context(), k, section(k), store.Headers{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Remove(t.Context(), "c"); err != nil {
		t.Error(err)
	}
	var keys []string
	for o, err := range p.List(t.Context(), "", "a") {
		if err != nil {
			t.Error(err)
		}
		keys = append(keys, o.Key)
	}
	body, o, err := p.Get(t.Context(), "b", store.All)
	if err != nil || o.Size != 1 || body.Close() != nil || !slices.Equal(keys, []string{"b"}) {
		t.Errorf("%v, %+v, %v", keys, o, err)
	}
	if s, err := store.FromProvider(p); err != nil || !s.Limits().Multipart() {
		t.Errorf("its store is not the store: %v", err)
	}
}

func TestRegisterPanics(t *testing.T) {
	for name, c := range map[string]struct {
		as   string
		make func() store.Provider
	}{
		memstore.ProviderName: {memstore.ProviderName, memstore.Provider},
		"minimal":             {"maximal", maker(newMinimal())},
	} {
		func() {
			defer func() {
				if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), name) {
					t.Errorf("%s: panic is %v", name, r)
				}
			}()
			store.Register(c.as, c.make)
		}()
	}
}

func TestRegistryIsConcurrent(t *testing.T) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			s, err := store.Open(context.Background(), memstore.ProviderName, store.Options{})
			if err != nil {
				t.Errorf("open: %v", err)
				return
			}
			if err := s.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
			if all := store.Providers(); !slices.ContainsFunc(all, func(d store.Description) bool { return d.Name == memstore.ProviderName }) {
				t.Errorf("providers are %v", all)
			}
		})
	}
	wg.Wait()
}
