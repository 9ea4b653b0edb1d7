package store

import (
	"context"
	"fmt"
	"slices"
	"sync"
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

	MaxAttempts int    // of one read request, the first included; 0 = 4
	Checksums   string // "supported" (default) or "required"
	Extra       map[string]string
}

// Opener opens a bucket. It must not need rights that the Amplify roles lack:
// no HeadBucket, no ListBuckets, no listing of the bucket's root.
type Opener func(ctx context.Context, o Options) (Store, error)

type registry struct {
	mu      sync.RWMutex
	openers map[string]Opener
}

//nolint:gochecknoglobals // the registry is the point of Register, as in database/sql
var providers = registry{openers: map[string]Opener{}}

// Register makes a provider known under name. It panics on a second one of
// the same name: that is a programming error at init time.
func Register(name string, open Opener) {
	providers.mu.Lock()
	defer providers.mu.Unlock()
	if _, dup := providers.openers[name]; dup {
		panic("store: provider " + name + " registered twice")
	}
	providers.openers[name] = open
}

// Open opens a bucket with the named provider.
func Open(ctx context.Context, provider string, o Options) (Store, error) {
	providers.mu.RLock()
	open := providers.openers[provider]
	providers.mu.RUnlock()
	if open == nil {
		return nil, fmt.Errorf("provider %q is not known; known are %v", provider, Providers())
	}
	return open(ctx, o)
}

// Providers lists the registered names in order.
func Providers() []string {
	providers.mu.RLock()
	defer providers.mu.RUnlock()
	names := make([]string, 0, len(providers.openers))
	for n := range providers.openers {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}
