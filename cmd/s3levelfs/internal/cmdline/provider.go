package cmdline

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/s3levelfs/s3levelfs/internal/config"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/local"
	"github.com/s3levelfs/s3levelfs/store/s3store"
)

// settleProvider finds the provider that the settings name, checks what they say of it, and gives the settings of others than S3 what
// they have in its place: --local of the embedded server, and else a place, so that nothing unsent gets to another one, and a bucket's name.
func settleProvider(cfg *config.Loaded) error {
	name := ProviderOf(cfg)
	d, err := store.Describe(name)
	if err != nil {
		return WithCode(ExitConfig, fmt.Errorf("--provider: %w; see `s3levelfs providers`", err))
	}
	if cfg.Local != "" && d.Name != local.ProviderName {
		return WithCode(ExitConfig, fmt.Errorf("--provider %s: --local is the provider %q: leave one of them out", name, local.ProviderName))
	}
	given, err := providerTable(cfg, d)
	if err != nil {
		return err
	}
	if d.Name == local.ProviderName && cfg.Local != "" {
		given[local.ExtraData] = cfg.Local // what is told last
	}
	if err := d.Check(store.Settings(given)); err != nil {
		if cfg.File != "" {
			err = fmt.Errorf("%s: %w", cfg.File, err)
		}
		return WithCode(ExitConfig, err)
	}
	cfg.ProviderSettings = given
	switch d.Name {
	case s3store.ProviderName:
		return nil
	case local.ProviderName:
		cfg.Local = given[local.ExtraData]
		return nil
	}
	cfg.ProviderPlace = placeOf(cfg, d, given)
	if cfg.Bucket == "" {
		cfg.Bucket = d.Name
	}
	return nil
}

// ProviderOf is the name or alias of the provider that the settings mean.
func ProviderOf(cfg *config.Loaded) string {
	switch {
	case cfg.Provider != "":
		return cfg.Provider
	case cfg.Local != "":
		return local.ProviderName
	}
	return s3store.ProviderName
}

// providerTable is what the file says of a provider, by its name or an alias.
func providerTable(cfg *config.Loaded, d store.Description) (config.ProviderSettings, error) {
	given, from := config.ProviderSettings{}, ""
	for _, n := range append([]string{d.Name}, d.Aliases...) {
		t, ok := cfg.Providers[n]
		switch {
		case ok && from != "":
			return nil, WithCode(ExitConfig, fmt.Errorf("%s: [provider.%s] and [provider.%s] are the same provider: put all into one of them", cfg.File, from, n))
		case ok:
			given, from = maps.Clone(t.Values), n
		}
	}
	return given, nil
}

// placeOf tells one place of a provider's objects from another: by its settings that are no secrets, which come and go.
func placeOf(cfg *config.Loaded, d store.Description, given config.ProviderSettings) string {
	place := []string{"provider:" + d.Name}
	if cfg.Endpoint != "" {
		place = append(place, fmt.Sprintf("endpoint=%q", cfg.Endpoint))
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.ContainsFunc(d.Settings, func(s store.Setting) bool { return s.Name == name && s.Secret }) {
			place = append(place, fmt.Sprintf("%s=%q", name, given[name]))
		}
	}
	return strings.Join(place, " ")
}
