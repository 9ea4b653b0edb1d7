package amplify

import "fmt"

// Secret is a value that no log, error or listing shows: every way of printing gives "(set)", or nothing where it is
// empty. The zero value is empty. It holds a pointer, so that printing a struct around it by reflection shows none of it either.
type Secret struct{ value *string }

// NewSecret hides a value.
func NewSecret(value string) Secret {
	if value == "" {
		return Secret{}
	}
	return Secret{&value}
}

// Reveal gives the value, for the request that needs it.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// String tells whether there is a value.
func (s Secret) String() string {
	if s.value == nil {
		return ""
	}
	return "(set)"
}

// Format prints String for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, s.String()) }

// MarshalText writes String: JSON, TOML and structured logs go through it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
