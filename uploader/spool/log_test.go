package spool_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// fullRecord has every field set.
func fullRecord(typ spool.Type) *spool.Record {
	when := time.Date(2026, 11, 23, 22, 21, 20, 123456789, time.UTC)
	return &spool.Record{
		Type: typ, Op: 7, Gen: "gen", Key: "public/a", To: "public/b",
		Base:   spool.Base{State: spool.Present, ETag: `"e1"`, Size: 12, ModTime: when},
		ToBase: spool.Base{State: spool.Absent, Size: -1},
		ETag:   `"e2"`, Size: 1 << 40,
		Extents: []spool.Extent{{Off: 0, Len: 5, Kind: spool.KindZero}, {Off: 5, Len: 1<<40 - 5, Kind: spool.KindBase}},
		Headers: &store.Headers{
			ContentType: "a/b", ContentEncoding: "gzip", ContentDisposition: "inline", ContentLanguage: "de",
			CacheControl: "no-store", Expires: "never", WebsiteRedirect: "/x", StorageClass: "STANDARD_IA",
			SSE: "aws:kms", SSEKMSKeyID: "key", BucketKey: true, Metadata: map[string]string{"mtime": "1", "": "x", "e": ""},
		},
		Time: when, UploadID: "upload", Part: store.Part{Number: 3, ETag: `"p"`, Size: 5 << 20, Checksum: "crc"},
		Flags: 1 << 63, Text: "text", Since: time.Unix(77, 5).UTC(), Keys: []string{"k1", "", "k3"},
		Sums: []spool.Sum{{Off: 0, Len: 5, CRC: 0xdeadbeef}, {Off: 16 << 20, Len: 1 << 40, CRC: 1}},
	}
}

// allRecords has each type, two of them with all fields.
func allRecords() (recs []*spool.Record) {
	for typ := spool.TypeCreate; typ <= spool.TypeBaseLost; typ++ {
		recs = append(recs, &spool.Record{Type: typ, Key: "k"})
	}
	recs = append(recs, fullRecord(spool.TypeSeal), fullRecord(spool.TypeAmend))
	recs = append(recs, &spool.Record{Type: spool.TypeAmend, Headers: &store.Headers{}})
	return append(recs, &spool.Record{Type: 99, Text: "of a newer program", Unknown: []byte{100, 2, 'a', 'b', 0xc8, 1, 0}})
}

func values(recs []*spool.Record) (list []spool.Record) {
	for _, r := range recs {
		list = append(list, *r)
	}
	return list
}

func TestRecordsComeBack(t *testing.T) {
	dir := fastDir(t)
	s, rec := open(t, config(dir))
	if len(rec.Records) > 0 || !rec.SameBoot {
		t.Fatalf("new spool: %+v", rec)
	}
	recs := allRecords()
	check(t, s.Append(recs[0]), s.Append(recs[1:]...), s.Append(), s.Close())
	s, rec = open(t, config(dir))
	defer s.Close()
	if diff := cmp.Diff(values(recs), rec.Records); diff != "" {
		t.Fatal(diff)
	}
	last := recs[0].Seq
	for _, r := range append(recs[1:], &spool.Record{Type: spool.TypeLevel}) {
		if r.Seq == 0 {
			check(t, s.Append(r))
		}
		if r.Seq <= last {
			t.Fatalf("seq %d after %d", r.Seq, last)
		}
		last = r.Seq
	}
}

func anyRecord(t *rapid.T) *spool.Record {
	text := rapid.OneOf(rapid.Just(""), rapid.StringN(0, 20, -1))
	when := rapid.OneOf(rapid.Just(time.Time{}), rapid.Custom(func(t *rapid.T) time.Time {
		return time.Unix(rapid.Int64Range(-1<<40, 1<<40).Draw(t, "sec"), rapid.Int64Range(0, 999_999_999).Draw(t, "nsec")).UTC()
	}))
	base := rapid.Custom(func(t *rapid.T) spool.Base {
		return spool.Base{
			State: spool.BaseState(rapid.IntRange(0, 2).Draw(t, "state")), ETag: text.Draw(t, "etag"),
			Size: rapid.Int64().Draw(t, "size"), ModTime: when.Draw(t, "time"),
		}
	})
	r := &spool.Record{
		Type: spool.Type(rapid.IntRange(1, 100).Draw(t, "type")), Op: rapid.Uint64().Draw(t, "op"),
		Gen: text.Draw(t, "gen"), Key: text.Draw(t, "key"), To: text.Draw(t, "to"),
		Base: base.Draw(t, "base"), ToBase: base.Draw(t, "to base"), ETag: text.Draw(t, "etag"),
		Size: rapid.Int64().Draw(t, "size"), Time: when.Draw(t, "time"), UploadID: text.Draw(t, "upload"),
		Part: store.Part{
			Number: rapid.Int32().Draw(t, "number"), ETag: text.Draw(t, "part"),
			Size: rapid.Int64().Draw(t, "part size"), Checksum: text.Draw(t, "sum"),
		},
		Flags: rapid.Uint64().Draw(t, "flags"), Text: text.Draw(t, "text"),
		Keys: rapid.SliceOf(text).Draw(t, "keys"),
	}
	if rapid.Bool().Draw(t, "headers") {
		r.Headers = &store.Headers{SSE: text.Draw(t, "sse"), Metadata: rapid.MapOf(text, text).Draw(t, "metadata")}
	}
	off := int64(0)
	for range rapid.IntRange(0, 5).Draw(t, "extents") {
		x := spool.Extent{Off: off, Len: rapid.Int64Range(1, 1<<50).Draw(t, "len"), Kind: spool.Kind(rapid.IntRange(0, 1).Draw(t, "kind"))}
		r.Extents = append(r.Extents, x)
		off += x.Len
	}
	return r
}

func TestAnyRecordComesBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir := fastDir(t)
		s, _ := open(rt, config(dir))
		r := anyRecord(rt)
		check(rt, s.Append(r), s.Close())
		s, rec := open(rt, config(dir))
		defer s.Close()
		if diff := cmp.Diff([]spool.Record{*r}, rec.Records, cmpopts.EquateEmpty()); diff != "" {
			rt.Fatal(diff)
		}
	})
}

// damagedLog opens the directory with other bytes in its log and expects a prefix of the records, or a refusal.
func damagedLog(t fatal, dir string, log []byte, want []spool.Record) *spool.Recovery {
	t.Helper()
	path := filepath.Join(dir, "ns.log")
	check(t, os.WriteFile(path, log, 0o600))
	s, rec, err := spool.Open(config(dir))
	if errors.Is(err, spool.ErrFormat) {
		return nil
	}
	check(t, err)
	defer s.Close()
	if len(rec.Records) > len(want) || !cmp.Equal(want[:len(rec.Records)], rec.Records, cmpopts.EquateEmpty()) {
		t.Fatal("not a prefix: ", cmp.Diff(want, rec.Records))
	}
	// The spool goes on from there.
	next := &spool.Record{Type: spool.TypeMkdir, Key: "next"}
	check(t, s.Append(next))
	if n := len(rec.Records); n > 0 && next.Seq <= rec.Records[n-1].Seq {
		t.Fatalf("seq %d after %d", next.Seq, rec.Records[n-1].Seq)
	}
	return rec
}

// fullLog is the log of a process that was killed after the records.
func fullLog(t *testing.T) (dir string, log []byte, recs []spool.Record) {
	t.Helper()
	dir = fastDir(t)
	s, _ := open(t, config(dir))
	list := allRecords()
	check(t, s.Append(list[:10]...), s.Sync(t.Context()), s.Append(list[10:]...))
	log, err := os.ReadFile(filepath.Join(dir, "ns.log"))
	check(t, err, s.Close())
	return dir, log, values(list)
}

func TestLogCutAtEveryByte(t *testing.T) {
	dir, log, recs := fullLog(t)
	found := 0
	for cut := range len(log) + 1 {
		rec := damagedLog(t, dir, log[:cut], recs)
		if rec == nil {
			if cut >= 16 {
				t.Fatalf("cut at %d: refused", cut)
			}
			continue
		}
		if n := len(rec.Records); n > 0 && n != 10 && n < len(recs) {
			t.Fatalf("cut at %d: %d records: a part of a batch", cut, n)
		}
		if len(rec.Records) < found {
			t.Fatalf("cut at %d: %d records, fewer than with a byte less", cut, len(rec.Records))
		}
		found = len(rec.Records)
	}
	if found != len(recs) {
		t.Errorf("whole log: %d of %d records", found, len(recs))
	}
}

func TestLogWithEveryByteFlipped(t *testing.T) {
	dir, log, recs := fullLog(t)
	for i := range log {
		bad := bytes.Clone(log)
		bad[i] ^= 0x55
		rec := damagedLog(t, dir, bad, recs)
		switch {
		case rec == nil && i >= 16:
			t.Fatalf("byte %d: refused", i)
		case rec != nil && i < 16:
			t.Fatalf("byte %d of the header: accepted", i)
		case rec != nil && len(rec.Records) > 10 && len(rec.Records) < len(recs):
			t.Fatalf("byte %d: %d records: a part of a batch", i, len(rec.Records))
		case rec != nil && (rec.Cut == 0 || len(rec.Records) == len(recs)) && rec.SameBoot:
			t.Fatalf("byte %d: not noticed", i)
		}
	}
}

func TestBoots(t *testing.T) {
	dir := fastDir(t)
	c := config(dir)
	s, _ := open(t, c)
	a, b := &spool.Record{Type: spool.TypeMkdir, Key: "a"}, &spool.Record{Type: spool.TypeMkdir, Key: "b"}
	check(t, s.Append(a), s.Sync(t.Context()), s.Append(b))
	killed := filepath.Join(fastDir(t), "killed")
	snapshot(t, dir, killed)
	check(t, s.Close())

	reopen := func(boot string, keys ...string) *spool.Recovery {
		t.Helper()
		c.Dir, c.BootID = killed, boot
		s, rec := open(t, c)
		check(t, s.Close())
		var got []string
		for _, r := range rec.Records {
			got = append(got, r.Key)
		}
		if diff := cmp.Diff(keys, got); diff != "" {
			t.Fatal(boot, diff)
		}
		return rec
	}
	if rec := reopen("boot-1", "a", "b"); !rec.SameBoot || rec.Lost != 0 {
		t.Errorf("same boot: %+v", rec)
	}
	snapshot(t, dir, killed) // this one was closed: all of it is synced
	if rec := reopen("boot-2", "a", "b"); rec.SameBoot || rec.Lost != 0 {
		t.Errorf("another boot after Close: %+v", rec)
	}
}

func TestPowerLossTrustsUpToTheLastSync(t *testing.T) {
	dir := fastDir(t)
	c := config(dir)
	s, _ := open(t, c)
	keys := []string{"a", "b", "c"}
	for _, k := range keys {
		check(t, s.Append(&spool.Record{Type: spool.TypeMkdir, Key: k}))
		if k == "a" {
			check(t, s.Sync(t.Context()))
		}
	}
	killed := filepath.Join(fastDir(t), "killed")
	snapshot(t, dir, killed)
	check(t, s.Close())

	c.Dir, c.BootID = killed, "boot-2"
	s, rec := open(t, c)
	if len(rec.Records) != 1 || rec.Lost != 2 || rec.SameBoot || rec.Cut != 0 {
		t.Fatalf("%+v", rec)
	}
	last := rec.Records[0].Seq
	next := &spool.Record{Type: spool.TypeMkdir, Key: "d"}
	check(t, s.Append(next))
	if next.Seq <= last+2 {
		t.Errorf("seq %d was used before", next.Seq)
	}
	again := filepath.Join(fastDir(t), "again")
	snapshot(t, killed, again) // killed in the new boot: what it wrote counts
	check(t, s.Close())
	c.Dir = again
	s, rec = open(t, c)
	defer s.Close()
	if len(rec.Records) != 2 || rec.Records[1].Key != "d" || !rec.SameBoot {
		t.Fatalf("%+v", rec)
	}
}

func TestCheckpoint(t *testing.T) {
	dir := fastDir(t)
	c := config(dir)
	s, _ := open(t, c)
	for range 100 {
		check(t, s.Append(&spool.Record{Type: spool.TypeMkdir, Key: "old"}))
	}
	kept := &spool.Record{Type: spool.TypeMkdir, Key: "kept"}
	check(t, s.Append(kept))
	_, before := s.Usage()
	fresh := &spool.Record{Type: spool.TypeLevel, Key: "new"}
	check(t, s.Checkpoint([]*spool.Record{kept, fresh}))
	if _, after := s.Usage(); after >= before {
		t.Errorf("log had %d bytes, has %d", before, after)
	}
	if fresh.Seq <= kept.Seq {
		t.Errorf("seq %d after %d", fresh.Seq, kept.Seq)
	}
	later := &spool.Record{Type: spool.TypeMkdir, Key: "later"}
	if err := s.Checkpoint([]*spool.Record{{Type: spool.TypeMkdir, Seq: 1 << 40}}); err == nil {
		t.Error("a record of the future was accepted")
	}
	check(t, s.Append(later), s.Close())

	c.BootID = "boot-2"
	s, rec := open(t, c)
	defer s.Close()
	if diff := cmp.Diff(values([]*spool.Record{kept, fresh, later}), rec.Records); diff != "" {
		t.Error(diff)
	}
}

func TestCheckpointIsDurable(t *testing.T) {
	dir := fastDir(t)
	s, _ := open(t, config(dir))
	check(t, s.Append(&spool.Record{Type: spool.TypeMkdir, Key: "old"}))
	check(t, s.Checkpoint([]*spool.Record{{Type: spool.TypeMkdir, Key: "new"}}))
	lost := filepath.Join(fastDir(t), "lost")
	snapshot(t, dir, lost)
	check(t, s.Close())
	c := config(lost)
	c.BootID = "boot-2"
	s, rec := open(t, c)
	defer s.Close()
	if len(rec.Records) != 1 || rec.Records[0].Key != "new" {
		t.Errorf("%+v", rec)
	}
}
