package memstore_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/memstore"
)

func TestUploads(t *testing.T) {
	s := memstore.New(memstore.Config{MinPart: 1})
	id, err := s.Create(t.Context(), "k", store.Headers{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.UploadPart(t.Context(), "k", id, 2, section("two"))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]string{id: "k"}, s.Uploads()); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[int32][]byte{2: []byte("two")}, s.PartsOf(id)); d != "" {
		t.Error(d)
	}
	s.LoseUploads()
	if _, err := s.Complete(t.Context(), "k", id, []store.Part{p}, store.Cond{}); !errors.Is(err, store.ErrNoUpload) || len(s.Uploads()) != 0 {
		t.Errorf("complete of a lost upload: %v", err)
	}
}

// TestSecondComplete asserts both behaviours that servers have.
func TestSecondComplete(t *testing.T) {
	for _, forget := range []bool{false, true} {
		s := memstore.New(memstore.Config{ForgetCompleted: forget})
		id, err := s.Create(t.Context(), "k", store.Headers{})
		if err != nil {
			t.Fatal(err)
		}
		p, err := s.UploadPart(t.Context(), "k", id, 1, section("x"))
		if err != nil {
			t.Fatal(err)
		}
		first, err := s.Complete(t.Context(), "k", id, []store.Part{p}, store.Cond{IfNoneMatch: true})
		if err != nil {
			t.Fatal(err)
		}
		s.PutString("k", "foreign")
		second, err := s.Complete(t.Context(), "k", id, []store.Part{p}, store.Cond{IfNoneMatch: true})
		switch {
		case forget && !errors.Is(err, store.ErrNoUpload):
			t.Errorf("forgotten upload: %v", err)
		case !forget && (err != nil || second != first):
			t.Errorf("second complete: %+v, %v, want %+v", second, err, first)
		}
		if raw, _ := s.Object("k"); string(raw.Data) != "foreign" {
			t.Errorf("the second complete stored %q", raw.Data)
		}
		if _, err := s.UploadPart(t.Context(), "k", id, 1, section("y")); !errors.Is(err, store.ErrNoUpload) {
			t.Errorf("part of a completed upload: %v", err)
		}
	}
}
