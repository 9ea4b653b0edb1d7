package store

import (
	"fmt"
	"io"
	"maps"
	"slices"
)

// Options configure a provider. Fields that a provider does not know it
// ignores; Extra carries what only one provider knows.
type Options struct {
	Bucket    string
	Endpoint  string // URL; "" = the provider's own
	Region    string
	PathStyle bool
	Profile   string // AWS shared configuration profile

	Credentials CredentialSource // nil = the provider's own way to find some

	CustomerKey  *CustomerKey // encrypts what is written and opens what is encrypted with it; nil = none
	RequestPayer bool         // we pay for the requests, as buckets want it whose requester pays
	BucketOwner  string       // account that the bucket must belong to; "" = any

	MaxAttempts int      // of one read request, the first included; 0 = 4
	Checksums   string   // "supported" (default) or "required"
	Extra       Settings // the provider's own, [Setting] by name
}

// Setting is one that only one provider knows: what it is for, in one line, and how it is treated.
type Setting struct {
	Name     string `json:"name"`
	Usage    string `json:"usage"`
	Required bool   `json:"required,omitempty"`
	Secret   bool   `json:"secret,omitempty"` // its value is never shown, and does not tell one place of objects from another
}

// Settings are values of a provider's own settings by name. They print as their names alone, by all verbs of fmt and in JSON: which of them
// are secrets only the provider knows.
type Settings map[string]string

// String implements [fmt.Stringer].
func (s Settings) String() string {
	return fmt.Sprintf("settings %q [redacted]", slices.Sorted(maps.Keys(s)))
}

// Format implements [fmt.Formatter] for all verbs.
func (s Settings) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText implements [encoding.TextMarshaler], which encoding/json uses, too.
func (s Settings) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Check says which settings the provider does not know, or lacks.
func (d Description) Check(s Settings) error {
	provider, names := d.Name, make([]string, 0, len(d.Settings))
	for _, k := range d.Settings {
		names = append(names, k.Name)
		if k.Required && s[k.Name] == "" {
			return fmt.Errorf("provider %q: setting %q is missing: set it under [provider.%s]", provider, k.Name, provider)
		}
	}
	for _, n := range slices.Sorted(maps.Keys(s)) {
		switch {
		case len(names) == 0:
			return fmt.Errorf("provider %q: setting %q is not known, it has none: leave it out", provider, n)
		case !slices.Contains(names, n):
			return fmt.Errorf("provider %q: setting %q is not known: it has %q", provider, n, names)
		}
	}
	return nil
}
