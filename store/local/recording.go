//go:build !nolocal

package local

import (
	"os"
	"slices"
)

// objectName is an object of one of the server's buckets.
type objectName struct{ bucket, object string }

// recording notes which attributes of an object are set from its begin to its end.
type recording struct {
	names map[string]bool // guarded by attributes.mu until the end
}

// record begins a recording. Of several at once on one object each sees all.
func (a *attributes) record(at objectName) *recording {
	r := &recording{names: map[string]bool{}}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.recordings == nil {
		a.recordings = map[objectName][]*recording{}
	}
	a.recordings[at] = append(a.recordings[at], r)
	return r
}

// stop ends r.
func (a *attributes) stop(at objectName, r *recording) {
	a.mu.Lock()
	defer a.mu.Unlock()
	left := slices.DeleteFunc(a.recordings[at], func(other *recording) bool { return other == r })
	if len(left) == 0 {
		delete(a.recordings, at)
		return
	}
	a.recordings[at] = left
}

// StoreAttribute implements [meta.MetadataStorer].
func (a *attributes) StoreAttribute(f *os.File, bucket, object, attribute string, value []byte) error {
	a.mu.Lock()
	for _, r := range a.recordings[objectName{bucket, object}] {
		r.names[attribute] = true
	}
	a.mu.Unlock()
	return a.MetadataStorer.StoreAttribute(f, bucket, object, attribute, value)
}
