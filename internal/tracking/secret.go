package tracking

import (
	"fmt"
	"io"
)

// Secret is a text that no log, error or document may show. Whatever prints it writes that it is redacted; only [Secret.Reveal] gives it.
type Secret string

const redacted = "[redacted]"

// Reveal gives the text itself, to the request that needs it.
func (s Secret) Reveal() string { return string(s) }

// String implements [fmt.Stringer].
func (Secret) String() string { return redacted }

// Format implements [fmt.Formatter], so that no verb shows the text.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText implements [encoding.TextMarshaler], which encoding/json uses, too.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
