package memstore_test

import (
	"errors"
	"testing"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/op"
)

// A busy bucket applies nothing.
func TestBusy(t *testing.T) {
	s := memstore.New(memstore.Config{})
	s.SetBusy(func(o, key string) bool { return o == op.Put && key == "a" })
	put := func(key string) error { return put(t, s, key, "x", store.Headers{}) }
	if err := put("a"); !errors.Is(err, store.ErrThrottled) || !store.Unanswered(err) {
		t.Errorf("put: %v", err)
	}
	if err := put("b"); err != nil {
		t.Errorf("put of another: %v", err)
	}
	s.SetBusy(nil)
	if err := put("a"); err != nil || len(s.Objects()) != 2 {
		t.Errorf("put afterwards: %v, %d objects", err, len(s.Objects()))
	}
}
