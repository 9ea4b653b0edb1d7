package memstore

import (
	"context"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
)

// ProviderName is what the store is registered as. Each store.Open makes a new,
// empty bucket.
const ProviderName = "mem"

func init() { store.Register(ProviderName, Provider) }

// Provider makes a provider whose bucket is empty when it is configured, and ends with the process.
func Provider() store.Provider {
	return store.Pluggable(ProviderName, func(context.Context, store.Options) (*Store, error) { return New(Config{}), nil })
}

// Config sets what a bucket allows. The zero value is Amazon S3 with all rights.
type Config struct {
	// Limits of the store; the zero value means S3Limits. CopyCond is taken from
	// IgnoreCopyCond.
	Limits store.Limits
	// MinPart replaces Limits.MinPart where it is positive, so that multipart
	// tests need no 5 MiB parts.
	MinPart int64

	// Allow is the permission policy, nil allows all: an error denies the request
	// (403 AccessDenied) and becomes its cause. It is asked once a request with
	// the request's op (package op) and key or prefix; of a copy first as op.Get
	// of the source; of op.DeleteMany once a key. It is called from the goroutine
	// of the request, without locks.
	Allow func(op, key string) error

	// HideAbsent makes Head, Get and copies of an absent key 403 AccessDenied,
	// as AWS does for callers whose list right is bound to a prefix.
	HideAbsent bool
	// DenyTags is a caller without the rights to tags: Head hides them, and a Put, Create or Copy that would write some is 403 AccessDenied.
	// Source: S3 API reference, CopyObject, PutObject: s3:GetObjectTagging, s3:PutObjectTagging.
	DenyTags bool
	// IgnoreCopyCond drops conditions on Copy's target in silence, as versitygw
	// 1.8 does; Limits.CopyCond is false then.
	IgnoreCopyCond bool
	// IgnoreWriteCond drops the conditions of all writes in silence: a server
	// from before conditional writes.
	IgnoreWriteCond bool
	// ForgetCompleted answers NoSuchUpload to a second Complete.
	ForgetCompleted bool

	// Now is the clock, nil means time.Now.
	Now func() time.Time
}

func (c Config) withDefaults() Config {
	if c.Limits == (store.Limits{}) {
		c.Limits = store.S3Limits()
	}
	if c.MinPart > 0 {
		c.Limits.MinPart = c.MinPart
	}
	c.Limits.CopyCond = !c.IgnoreCopyCond && !c.IgnoreWriteCond
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}
