package uploader_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/s3levelfs/s3levelfs/store/memstore"
)

// BenchmarkStatus is a snapshot while 100,000 operations are pending.
func BenchmarkStatus(b *testing.B) {
	r := newRig(b, memstore.Config{Allow: func(string, string) error { return context.Canceled }})
	defer r.stop()
	_ = r.u.Prove(b.Context(), level)
	for i := range 100_000 {
		f := r.create(key(fmt.Sprintf("d%d/f%d.tmp", i%100, i)))
		check(b, f.Release(b.Context(), true))
	}
	for b.Loop() {
		r.u.Status()
	}
}

// BenchmarkSmallFile is create, write, close, commit.
func BenchmarkSmallFile(b *testing.B) {
	r := newRig(b, memstore.Config{})
	defer r.stop()
	check(b, r.u.Prove(b.Context(), level))
	data := string(make([]byte, 4096))
	i := 0
	for b.Loop() {
		i++
		r.put(key(fmt.Sprint(i)), data)
	}
	_, err := r.u.Wait(b.Context(), "")
	check(b, err)
}
