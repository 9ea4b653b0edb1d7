// Package memstore is a strict store.Store in memory, for tests: ordered keys
// of any bytes, every condition honoured, listings as ListObjectsV2 makes
// them, requests counted and logged. It starts no goroutines and does no I/O,
// so it works inside testing/synctest bubbles.
//
// A second Complete of a finished upload answers ErrNoUpload, unlike S3, which
// may answer 200 again: callers must not rely on either.
package memstore
