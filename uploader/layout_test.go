package uploader

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/s3levelfs/s3levelfs/store"
)

// Parts follow each other without gaps, stay within the store's limits, and reach its largest object.
func TestGrowingParts(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		limits := store.S3Limits()
		wished := rapid.Int64Range(1, 1<<30).Draw(rt, "wished")
		l := growing(limits, wished)
		if got := l.reach(limits.MaxParts); got < limits.MaxObject {
			rt.Fatalf("%+v reaches %d of %d", l, got, limits.MaxObject)
		}
		off := rapid.Int64Range(0, limits.MaxObject-1).Draw(rt, "off")
		i := l.index(off)
		begin, n := l.at(i)
		next, _ := l.at(i + 1)
		if off < begin || off >= begin+n || next != begin+n || i >= limits.MaxParts || n < limits.MinPart || n > limits.MaxPart {
			rt.Fatalf("%+v: byte %d is in part %d, [%d, +%d), the next begins at %d", l, off, i, begin, n, next)
		}
		if n > l.first && n > begin/30 {
			rt.Fatalf("%+v: a part of %d bytes at %d", l, n, begin)
		}
	})
}

func TestEqualParts(t *testing.T) {
	limits := store.S3Limits()
	limits.EqualParts = true
	l := growing(limits, 16<<20)
	for i := range limits.MaxParts {
		if off, n := l.at(i); n != 16<<20 || off != int64(i)<<24 {
			t.Fatalf("part %d is [%d, +%d)", i, off, n)
		}
	}
	l = equal(limits, 16<<20, largest(limits))
	if _, n := l.at(0); l.reach(limits.MaxParts) < largest(limits) || n > limits.MaxPart {
		t.Errorf("%+v reaches %d of %d", l, l.reach(limits.MaxParts), largest(limits))
	}
}

// One changed byte of an object of up to 73 GiB sends 8 MiB, and of larger ones little more than a ten thousandth of them.
func TestPartsOfChanges(t *testing.T) {
	u := &Uploader{cfg: Config{}.withDefaults(), limits: store.S3Limits(), layout: growing(store.S3Limits(), DefaultPartSize)}
	for size, want := range map[int64]int64{
		1 << 30: 8 << 20, 10 << 30: 8 << 20, 73 << 30: 8 << 20, 80 << 30: 9 << 20, 1 << 40: 112 << 20, 5 << 40: 558 << 20,
	} {
		l := u.layoutOn(source{key: "k", etag: "e", size: size})
		if l.first != want || l.step != 0 || l.reach(u.limits.MaxParts) < size {
			t.Errorf("%d GiB: %+v, want parts of %d", size>>30, l, want)
		}
	}
	for _, s := range []source{{}, {key: "k", etag: "e", size: 1 << 20}} {
		if l := u.layoutOn(s); l != u.layout {
			t.Errorf("%+v: %+v", s, l)
		}
	}
}
