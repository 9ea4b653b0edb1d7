package store

import (
	"bytes"
	"crypto/md5" //nolint:gosec // S3 wants the key's MD5 to find errors of transmission
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// customerKeyLen is the length of a key of AES-256, bytes.
const customerKeyLen = 32

// CustomerKey is a key of server-side encryption with a key of the customer's own (SSE-C). It prints as nothing, by no verb of fmt and in
// no JSON. Source: S3 user guide, "Using server-side encryption with customer-provided keys".
type CustomerKey struct{ key [customerKeyLen]byte }

// ParseCustomerKey reads the content of a key file: 32 bytes as they are, or in base64 or hex with blanks around. The error never tells any
// of it.
func ParseCustomerKey(content []byte) (*CustomerKey, error) {
	k := &CustomerKey{}
	if len(content) == customerKeyLen {
		copy(k.key[:], content)
		return k, nil
	}
	text := string(bytes.TrimSpace(content))
	for _, decode := range []func(string) ([]byte, error){hex.DecodeString, base64.StdEncoding.DecodeString} {
		if key, err := decode(text); err == nil && len(key) == customerKeyLen {
			copy(k.key[:], key)
			return k, nil
		}
	}
	return nil, errors.New("is no key: it must have 32 bytes, as they are, or in base64 or hex (openssl rand -out FILE 32 makes one)")
}

// Headers are what the requests carry: the key, and its MD5, both in base64.
func (k *CustomerKey) Headers() (key, sum string) {
	md := md5.Sum(k.key[:]) //nolint:gosec // see above
	return base64.StdEncoding.EncodeToString(k.key[:]), base64.StdEncoding.EncodeToString(md[:])
}

// String implements [fmt.Stringer].
func (k CustomerKey) String() string { return "customer key [redacted]" }

// Format implements [fmt.Formatter] for all verbs.
func (k CustomerKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// MarshalText implements [encoding.TextMarshaler], which encoding/json uses, too.
func (k CustomerKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }
