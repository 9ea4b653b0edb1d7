package attrs_test

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/fs/vfs/attrs"
	"github.com/s3levelfs/s3levelfs/internal/frame"
	"github.com/s3levelfs/s3levelfs/store"
)

func put(x *attrs.Index, objects ...store.Object) {
	for _, o := range objects {
		o.Headers = &store.Headers{Metadata: meta{"mode": "33188"}}
		x.Put(o)
	}
}

func known(x *attrs.Index, objects []store.Object) (n int) {
	for _, o := range objects {
		if _, _, fresh, ok := x.Get(o); fresh && ok {
			n++
		}
	}
	return n
}

// Cut at any byte, or with any byte changed, the file gives what is whole and
// is written on.
func TestDamagedFile(t *testing.T) {
	s := &heads{}
	listed := s.put("private/", 5, 3)
	cfg := attrs.Config{Dir: t.TempDir(), Own: own}
	x := attrs.New(s, cfg)
	put(x, listed...)
	x.Close()
	path := filepath.Join(cfg.Dir, "attrs.idx")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	try := func(damaged []byte, atLeast, atMost int, what string, at int) {
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		x := attrs.New(s, cfg)
		if n := known(x, listed); n < atLeast || n > atMost {
			t.Errorf("%s at %d: %d entries known", what, at, n)
		}
		put(x, listed...)
		x.Close()
		x = attrs.New(s, cfg)
		if n := known(x, listed); n != len(listed) {
			t.Errorf("%s at %d, written again: %d entries known", what, at, n)
		}
		x.Close()
	}
	for at := 0; at < len(whole); at += 7 {
		try(whole[:at], 0, 4, "cut", at)
	}
	for at := frame.FileHeaderSize; at < len(whole); at += 5 {
		flipped := append([]byte(nil), whole...)
		flipped[at] ^= 16
		atLeast := 4
		if (at-frame.FileHeaderSize)%((len(whole)-frame.FileHeaderSize)/5) < 4 {
			atLeast = 0 // a length: what follows is not found
		}
		try(flipped, atLeast, 4, "flipped", at)
	}
	try([]byte("something else entirely"), 0, 0, "foreign", 0)
}

func TestFileIsRewrittenBeforeItGrowsForEver(t *testing.T) {
	s := &heads{}
	listed := s.put("private/", 100, 3)
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		x := attrs.New(s, attrs.Config{Dir: dir, Own: own})
		defer x.Close()
		for range 100 {
			put(x, listed...)
			time.Sleep(2 * time.Second)
		}
	})
	st, err := os.Stat(filepath.Join(dir, "attrs.idx"))
	if err != nil || st.Size() > 1300*150 {
		t.Errorf("%v, %v", st.Size(), err)
	}
	x := attrs.New(s, attrs.Config{Dir: dir, Own: own})
	defer x.Close()
	if n := known(x, listed); n != 100 {
		t.Errorf("%d entries known", n)
	}
}

func TestOthersAreNotKept(t *testing.T) {
	s, dir := &heads{}, t.TempDir()
	listed := append(s.put("public/", 5, 3), s.put("private/", 5, 3)...)
	x := attrs.New(s, attrs.Config{Dir: dir, Own: own})
	put(x, listed...)
	x.Forget("private/0003")
	x.Close()
	x = attrs.New(s, attrs.Config{Dir: dir, Own: own})
	defer x.Close()
	if n := x.Stats().Entries; n != 4 {
		t.Errorf("%d entries were kept", n)
	}
}

// A second mount of the same identity reads the file, and leaves it to the first.
func TestTwoProcesses(t *testing.T) {
	s := &heads{}
	listed := s.put("private/", 5, 3)
	cfg := attrs.Config{Dir: t.TempDir(), Own: own}
	one := attrs.New(s, cfg)
	put(one, listed[:3]...)
	one.Close()

	one = attrs.New(s, cfg)
	two := attrs.New(s, cfg)
	if n := known(two, listed); n != 3 {
		t.Errorf("the second knows %d", n)
	}
	put(two, listed[3])
	two.Close()
	put(one, listed[4])
	one.Close()
	one = attrs.New(s, cfg)
	defer one.Close()
	if n := known(one, listed); n != 4 {
		t.Errorf("%d entries known", n)
	}
}

func TestDirThatCanNotBeUsed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := &heads{}
	listed := s.put("private/", 5, 3)
	x := attrs.New(s, attrs.Config{Dir: file, Own: own})
	defer x.Close()
	put(x, listed...)
	if n := known(x, listed); n != 5 {
		t.Errorf("%d entries known", n)
	}
}
