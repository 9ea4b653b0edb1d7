package frame_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/s3levelfs/s3levelfs/internal/frame"
)

type item struct {
	Type    uint8
	Payload string
}

func encode(items []item) []byte {
	var b []byte
	for _, it := range items {
		b = frame.Append(b, it.Type, []byte(it.Payload))
	}
	return b
}

func scan(sc *frame.Scanner) (items []item) {
	for sc.Next() {
		items = append(items, item{Type: sc.Type(), Payload: string(sc.Payload())})
	}
	return items
}

func someItems() []item {
	return []item{{Type: 1, Payload: "first"}, {Type: 0, Payload: ""}, {Type: 255, Payload: "a longer payload\x00\xff"}}
}

func TestAppendAndBeginAgree(t *testing.T) {
	got := frame.Begin([]byte("before"))
	got = frame.End(append(got, "payload"...), len("before"), 7)
	want := frame.Append([]byte("before"), 7, []byte("payload"))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseTakesFrameAfterFrame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOf(rapid.Custom(func(t *rapid.T) item {
			return item{Type: rapid.Uint8().Draw(t, "type"), Payload: rapid.StringN(0, 50, -1).Draw(t, "payload")}
		})).Draw(t, "items")
		b := encode(want)
		var got []item
		for rest := b; len(rest) > 0; {
			typ, payload, n, err := frame.Parse(rest)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, item{Type: typ, Payload: string(payload)})
			rest = rest[n:]
		}
		if len(want) != len(got) || (len(want) > 0 && !cmp.Equal(want, got)) {
			t.Fatal(cmp.Diff(want, got))
		}
	})
}

func TestEveryCutGivesThePrefix(t *testing.T) {
	items := someItems()
	b := encode(items)
	for cut := range b {
		sc := frame.NewScanner(bytes.NewReader(b), 0, int64(cut))
		got := scan(sc)
		if err := sc.Err(); err != nil {
			t.Fatalf("cut %d: %v", cut, err)
		}
		if !cmp.Equal(items[:len(got)], append([]item{}, got...)) || sc.End() != int64(len(encode(got))) {
			t.Fatalf("cut %d: got %v, end %d", cut, got, sc.End())
		}
		if next := len(got); len(encode(items[:next+1])) <= cut {
			t.Fatalf("cut %d: frame %d is there and was not found", cut, next)
		}
	}
}

func TestEveryFlippedBitIsFound(t *testing.T) {
	items := someItems()
	b := encode(items)
	for i := range b {
		for bit := range 8 {
			bad := bytes.Clone(b)
			bad[i] ^= 1 << bit
			got := scan(frame.NewScanner(bytes.NewReader(bad), 0, int64(len(bad))))
			if len(got) >= len(items) || !cmp.Equal(items[:len(got)], append([]item{}, got...)) {
				t.Fatalf("byte %d bit %d: got %v", i, bit, got)
			}
		}
	}
}

func TestZerosAreNoFrames(t *testing.T) {
	if got := scan(frame.NewScanner(bytes.NewReader(make([]byte, 1000)), 0, 1000)); got != nil {
		t.Errorf("got %v", got)
	}
	if _, _, _, err := frame.Parse(make([]byte, 100)); !errors.Is(err, frame.ErrCorrupt) {
		t.Errorf("got %v", err)
	}
}

func TestSkipCostsOneFrame(t *testing.T) {
	items := someItems()
	b := encode(items)
	b[frame.HeaderSize] ^= 1 // payload of the first
	sc := frame.NewScanner(bytes.NewReader(b), 0, int64(len(b)))
	if sc.Next() {
		t.Fatal("damaged frame accepted")
	}
	if sc.Next() {
		t.Fatal("scan went on by itself")
	}
	if !sc.Skip() {
		t.Fatal("not skipped")
	}
	if diff := cmp.Diff(items[1:], scan(sc)); diff != "" {
		t.Error(diff)
	}
	if sc.Skip() {
		t.Error("skipped at the end")
	}
}

var testFormat = frame.Format{Magic: "testfile", Version: 3}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	items := someItems()
	f, err := frame.Create(path, testFormat, encode(items[:1]))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Append(encode(items[1:])), f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
	tail := frame.Append(nil, 9, []byte("torn"))
	writeTail(t, path, tail[:len(tail)-1])

	f, err = frame.Open(path, testFormat)
	if err != nil {
		t.Fatal(err)
	}
	sc := f.Scan()
	if diff := cmp.Diff(items, scan(sc)); diff != "" {
		t.Error(diff)
	}
	more := item{Type: 2, Payload: "more"}
	f.Reserve(4096)
	if err := errors.Join(f.Cut(sc.End()), f.Append(encode([]item{more})), f.Close()); err != nil {
		t.Fatal(err)
	}
	f, err = frame.Open(path, testFormat)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if diff := cmp.Diff(append(items, more), scan(f.Scan())); diff != "" {
		t.Error(diff)
	}
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() != 0o600 || st.Size() != f.Size() {
		t.Errorf("got %v, %v; size %d", st, err, f.Size())
	}
}

func writeTail(t *testing.T, path string, b []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestOpenRefusesAnotherHeader(t *testing.T) {
	dir := t.TempDir()
	for i, other := range []frame.Format{{Magic: "testfilf", Version: 3}, {Magic: "testfile", Version: 4}} {
		path := filepath.Join(dir, fmt.Sprint(i))
		f, err := frame.Create(path, other, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := frame.Open(path, testFormat); !errors.Is(err, frame.ErrHeader) {
			t.Errorf("%v: got %v", other, err)
		}
	}
	short := filepath.Join(dir, "short")
	if err := os.WriteFile(short, testFormat.Header()[:7], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := frame.Open(short, testFormat); !errors.Is(err, frame.ErrHeader) {
		t.Errorf("short: got %v", err)
	}
	if _, err := frame.Open(filepath.Join(dir, "none"), testFormat); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("none: got %v", err)
	}
}

func TestCreateLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := os.MkdirAll(filepath.Join(path, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := frame.Create(path, testFormat, nil); err == nil {
		t.Fatal("renamed over a directory")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("got %v, %v", entries, err)
	}
}

func FuzzScan(f *testing.F) {
	f.Add(encode(someItems()))
	f.Add(encode(someItems())[:20])
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		sc := frame.NewScanner(bytes.NewReader(b), 0, int64(len(b)))
		items := scan(sc)
		if !bytes.Equal(encode(items), b[:sc.End()]) {
			t.Errorf("%v is not what %x begins with", items, b)
		}
		for sc.Skip() {
			scan(sc)
		}
	})
}
