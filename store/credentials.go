package store

import (
	"context"
	"fmt"
	"io"
	"time"
)

// Credentials sign requests. They print as nothing but their expiry: by no verb of fmt and in no JSON is a key seen.
type Credentials struct {
	AccessKey    string
	SecretKey    string
	SessionToken string    // "" = none
	Expires      time.Time // zero = they do not
}

// CredentialSource gives credentials that are good now. It is asked before every request, so that it answers at once while
// they are; else it waits, bounded by ctx. A failure that a later call may not have is an ErrTransient.
type CredentialSource func(ctx context.Context) (Credentials, error)

// String implements [fmt.Stringer].
func (c Credentials) String() string {
	if c.Expires.IsZero() {
		return "credentials [redacted]"
	}
	return "credentials [redacted] until " + c.Expires.Format(time.RFC3339)
}

// Format implements [fmt.Formatter] for all verbs.
func (c Credentials) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// MarshalText implements [encoding.TextMarshaler], which encoding/json uses, too.
func (c Credentials) MarshalText() ([]byte, error) { return []byte(c.String()), nil }
