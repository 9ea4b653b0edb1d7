package config

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// ProviderSettings are the values under [provider.NAME] of the file, by name. They print as their names alone: which of them are secrets only
// the provider knows.
type ProviderSettings map[string]string

// String implements [fmt.Stringer].
func (s ProviderSettings) String() string {
	return fmt.Sprintf("settings %q [redacted]", slices.Sorted(maps.Keys(s)))
}

// Format implements [fmt.Formatter] for all verbs.
func (s ProviderSettings) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText implements [encoding.TextMarshaler], which encoding/json uses, too.
func (s ProviderSettings) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// ProviderTable is what the file says of one provider.
type ProviderTable struct {
	Values  ProviderSettings
	Origins map[string]string // FILE:LINE, by name
}

// providerTables reads the table [provider]: name is the setting of that name, as TOML has no key that is a value and a table; all else
// are tables [provider.NAME]. What may stand in them the providers say.
func (l *Loaded) providerTables(v map[string]any, path, text string) (layer, error) {
	chosen := layer{}
	for name, one := range v {
		table, isTable := one.(map[string]any)
		if value, isText := one.(string); isText && name == "name" {
			chosen["provider"] = setting{value, fmt.Sprintf("%s:%d", path, lineIn(text, "[provider]", "name"))}
			continue
		}
		if !isTable {
			return nil, &Error{
				Name: "provider." + name, Origin: fmt.Sprintf("%s:%d", path, lineIn(text, "[provider]", name)),
				Err: errors.New("no such setting: [provider] has name, and a table [provider.NAME] for each provider"),
			}
		}
		t := ProviderTable{Values: ProviderSettings{}, Origins: map[string]string{}}
		for key, value := range table {
			t.Origins[key] = fmt.Sprintf("%s:%d", path, lineIn(text, "[provider."+name+"]", key))
			switch value.(type) {
			case string, bool, int64, float64:
				t.Values[key] = fmt.Sprint(value)
			default:
				return nil, &Error{Name: "provider." + name + "." + key, Origin: t.Origins[key], Err: errors.New("must be a single value, not a list or a table")}
			}
		}
		l.Providers[name] = t
	}
	return chosen, nil
}

// lineIn finds the line, counted from 1, on which a key is set behind a table's head.
func lineIn(text, head, key string) int {
	before, after, ok := strings.Cut(text, head)
	if !ok {
		return lineOf(text, key)
	}
	return strings.Count(before, "\n") + lineOf(head+after, key)
}

// otherProvider: a provider is named that is none of S3, so that no bucket is looked for.
func otherProvider(layers []layer) bool {
	for _, from := range slices.Backward(layers) {
		if name := from["provider"].text; name != "" {
			return name != "s3" && name != "AWSS3"
		}
	}
	return false
}
