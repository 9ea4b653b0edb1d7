package storetest_test

import (
	"os"
	"testing"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/local"
	"github.com/s3levelfs/s3levelfs/store/storetest"
)

func TestMain(m *testing.M) {
	local.MaybeRunChild()
	os.Exit(m.Run())
}

func TestTmpLocal(t *testing.T) {
	storetest.Test(t, func(t *testing.T) store.Store {
		s, err := local.Open(t.Context(), local.Config{Data: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}, storetest.Features{NoFileBesideDir: true, NoMarkerContent: true, NoPathKeys: true, NoControlKeys: true, NoBinaryKeys: true,
		Unkept: []string{"WebsiteRedirect", "StorageClass", "SSE"}})
}
