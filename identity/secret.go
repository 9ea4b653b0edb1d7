package identity

import (
	"fmt"
	"io"
)

// redacted is all that a secret ever shows of itself.
const redacted = "[redacted]"

// Secret is a text that no log, error or document may show: passwords, codes, tokens, keys. Whatever prints it, by any
// verb of fmt, by encoding/json or by zap, writes that it is redacted; only [Secret.Reveal] gives it.
type Secret string

// Reveal gives the text itself: to the request that needs it, or to the token store.
func (s Secret) Reveal() string { return string(s) }

// String implements [fmt.Stringer].
func (Secret) String() string { return redacted }

// Format implements [fmt.Formatter], so that no verb, %x and %#v included, shows the text.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText implements [encoding.TextMarshaler], which encoding/json uses, too.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
