package disk_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/s3levelfs/s3levelfs/cache/disk"
)

// eachDamage opens copies of a store, each with one file changed by damage, which tells when there is no more. load fails the test for a
// wrong byte; it returns how many blocks the best and the worst copy have.
func eachDamage(t *testing.T, dir string, all []object, step int, damage func(b []byte, at int) []byte) (least, most int64) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	least = 1 << 62
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at < len(b); at += step {
			other := copyDir(t, dir)
			if err := os.WriteFile(filepath.Join(other, e.Name()), damage(append([]byte(nil), b...), at), 0o600); err != nil {
				t.Fatal(err)
			}
			d := open(t, config(other))
			n := sum(t, d, all)
			least, most = min(least, n), max(most, n)
			put(t, d, all...) // what is bad is replaced
			if got := sum(t, d, all); got != blocksOf(all) {
				t.Fatalf("%s damaged at %d: %d of %d blocks after they were written again", e.Name(), at, got, blocksOf(all))
			}
			d.Close()
			if err := os.RemoveAll(other); err != nil {
				t.Fatal(err)
			}
		}
	}
	return least, most
}

func blocksOf(all []object) (n int64) {
	for _, o := range all {
		n += o.blocks()
	}
	return n
}

// small is a store of some blocks, whose files are small enough to be damaged everywhere. It was read, so that all kinds of files are
// there.
func small(t *testing.T, clean bool) (dir string, all []object) {
	t.Helper()
	all = append(objects(5, 300), newObject("two pages", 5000), newObject("two blocks", disk.BlockSize+77))
	cfg := config(fastDir(t))
	d := open(t, cfg)
	put(t, d, all...)
	if !clean {
		return cfg.Dir, all // as after a kill -9: what is written is in the kernel's hands
	}
	put(t, d, newObject("large", 2*mib)) // its segment is another one
	sum(t, d, all)
	d.Close()
	return cfg.Dir, all
}

// step is the distance of damages: a store that was closed has the larger files.
func step(clean bool) int {
	if clean {
		return 15_013
	}
	return 3001
}

func flip(b []byte, at int) []byte { b[at] ^= 0x55; return b }
func cut(b []byte, at int) []byte  { return b[:at] }

// TestEveryByteFlipped: no damage of a byte makes a wrong byte, an error, or a block that cannot be kept again.
func TestEveryByteFlipped(t *testing.T) {
	for _, clean := range []bool{true, false} {
		dir, all := small(t, clean)
		least, most := eachDamage(t, dir, all, step(clean), flip)
		t.Logf("closed %v: %d to %d of %d blocks survive", clean, least, most, blocksOf(all))
		if most < blocksOf(all)-1 {
			t.Errorf("a byte costs %d blocks at least", blocksOf(all)-most)
		}
	}
}

// TestCutAnywhere: a file that ends early costs what is behind its end.
func TestCutAnywhere(t *testing.T) {
	for _, clean := range []bool{true, false} {
		dir, all := small(t, clean)
		least, most := eachDamage(t, dir, all, step(clean), cut)
		t.Logf("closed %v: %d to %d of %d blocks survive", clean, least, most, blocksOf(all))
	}
}

// TestHeadersFlipped damages each byte of the headers and of the index.
func TestHeadersFlipped(t *testing.T) { synctest.Test(t, headersFlipped) }

func headersFlipped(t *testing.T) {
	all := objects(3, 10)
	for _, clean := range []bool{true, false} {
		cfg := config(fastDir(t))
		d := open(t, cfg)
		put(t, d, all...)
		if clean {
			d.Close()
		}
		// a damaged index is made good by the headers, a damaged header is not
		if least, most := eachDamage(t, cfg.Dir, all, 1, flip); least != 0 || clean != (most == blocksOf(all)) {
			t.Errorf("closed %v: %d to %d of %d blocks survive", clean, least, most, blocksOf(all))
		}
	}
}

// TestForeignSegment: the files of another store are not taken for one's own, whatever they are called.
func TestForeignSegment(t *testing.T) {
	dir, all := small(t, true)
	names, err := filepath.Glob(filepath.Join(dir, "*.pack"))
	if err != nil || len(names) < 2 {
		t.Fatal(names, err)
	}
	// one's own under another number
	b, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(strings.Replace(names[0], "00000001", "00000009", 1), b, 0o600); err != nil {
		t.Fatal(err)
	}
	d := open(t, config(dir))
	if got := sum(t, d, all); got != blocksOf(all) {
		t.Errorf("%d of %d blocks", got, blocksOf(all))
	}
	if names, _ := filepath.Glob(filepath.Join(dir, "00000009.pack")); len(names) != 0 {
		t.Error("a segment under another's number stays")
	}
	d.Close()
	cfg := config(dir)
	cfg.Owner = "another"
	other := open(t, cfg)
	if got := sum(t, other, all); got != 0 {
		t.Errorf("%d foreign blocks", got)
	}
}
