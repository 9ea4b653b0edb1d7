package spool_test

import (
	"bytes"
	"testing"

	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

func TestSmoke(t *testing.T) {
	dir := t.TempDir()
	s, _, err := spool.Open(spool.Config{Dir: dir, Owner: "o"})
	if err != nil {
		t.Fatal(err)
	}
	c := s.NewContent("g1", 0)
	if err := s.Append(&spool.Record{Type: spool.TypeCreate, Gen: "g1", Key: "k"}); err != nil {
		t.Fatal(err)
	}
	want := bytes.Repeat([]byte("hello"), 100)
	if _, err := c.WriteAt(want, 10); err != nil {
		t.Fatal(err)
	}
	ext := c.Seal()
	if err := s.Append(&spool.Record{Type: spool.TypeSeal, Gen: "g1", Key: "k", Size: c.Size(), Extents: ext}); err != nil {
		t.Fatal(err)
	}
	if err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, rec, err := spool.Open(spool.Config{Dir: dir, Owner: "o"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if len(rec.Records) != 2 || len(rec.Damaged) != 0 {
		t.Fatalf("%+v", rec)
	}
	c, err = s.Adopt("g1", rec.Records[1].Size, rec.Records[1].Extents)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 510)
	if _, err := c.ReadAt(got, 0, nil); err != nil || !bytes.Equal(got[10:], want) {
		t.Fatalf("%q %v", got, err)
	}
}
