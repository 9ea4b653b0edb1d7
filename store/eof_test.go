package store_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/s3levelfs/s3levelfs/store"
)

// A connection that ends without an answer must never look like a file's end.
func TestErrorHidesEOF(t *testing.T) {
	cause := fmt.Errorf("Get %q: %w", "http://x/", io.EOF)
	err := fmt.Errorf("read: %w", &store.Error{Op: "get", Key: "k", Kind: store.ErrTransient, Err: cause})
	if errors.Is(err, io.EOF) {
		t.Error("a failed request is io.EOF")
	}
	if !errors.Is(err, store.ErrTransient) {
		t.Error("the kind is lost")
	}
}
