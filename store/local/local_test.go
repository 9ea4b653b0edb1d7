package local_test

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/local"
)

func TestMain(m *testing.M) {
	local.MaybeRunChild()
	os.Exit(m.Run())
}

func section(s string) *io.SectionReader {
	return io.NewSectionReader(strings.NewReader(s), 0, int64(len(s)))
}

func open(t *testing.T, cfg local.Config) *local.Store {
	t.Helper()
	st, err := local.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return st
}

func read(t *testing.T, st store.Store, key string) (string, store.Object) {
	t.Helper()
	body, o, err := st.Get(t.Context(), key, store.All, store.Cond{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = body.Close() }()
	data, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(data), o
}

func TestPutGet(t *testing.T) {
	st := open(t, local.Config{Data: t.TempDir()})
	put, err := st.Put(t.Context(), "public/a b+ü.txt", section("hello"), store.Headers{ContentType: "text/plain"}, store.Cond{IfNoneMatch: true})
	if err != nil {
		t.Fatal(err)
	}
	got, o := read(t, st, "public/a b+ü.txt")
	if diff := cmp.Diff("hello", got); diff != "" {
		t.Error(diff)
	}
	if o.ETag != put.ETag || o.ETag == "" {
		t.Errorf("ETag %q, put said %q", o.ETag, put.ETag)
	}
}
