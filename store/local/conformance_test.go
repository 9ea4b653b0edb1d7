package local_test

import (
	"os"
	"testing"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/local"
	"github.com/s3levelfs/s3levelfs/store/s3store"
	"github.com/s3levelfs/s3levelfs/store/storetest"
)

// gateway is what versitygw 1.8 with its posix backend can not do.
func gateway() storetest.Features {
	return storetest.Features{
		NoFileBesideDir: true, NoMarkerContent: true, NoPathKeys: true, NoControlKeys: true, NoBinaryKeys: true,
		Unkept: []string{"StorageClass", "SSE"},
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]local.Config{
		"attributes":        {},
		"required checksum": {Checksums: s3store.ChecksumsRequired},
		"sidecar":           {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg.Data = t.TempDir()
			if name == "sidecar" {
				useSidecar(t, cfg.Data)
			}
			f := gateway()
			f.NoSums = cfg.Checksums == s3store.ChecksumsRequired
			storetest.Test(t, func(t *testing.T) store.Store { return open(t, cfg) }, f)
		})
	}
}

// endpoint is a server given by the environment, as "make test" documents; the
// embedded one over TCP if none is.
func endpoint(t *testing.T) (s3store.Config, storetest.Features) {
	t.Helper()
	if url := os.Getenv("S3LEVELFS_TEST_ENDPOINT"); url != "" {
		return s3store.Config{
			Endpoint: url, PathStyle: true,
			Bucket: os.Getenv("S3LEVELFS_TEST_BUCKET"), Region: os.Getenv("S3LEVELFS_TEST_REGION"),
		}, storetest.Features{Prefix: "public/", Unkept: []string{"WebsiteRedirect", "StorageClass", "SSE"}}
	}
	s := start(t, local.Config{Data: t.TempDir(), Listen: "127.0.0.1:0"})
	return s3store.Config{
		Endpoint: s.Endpoint(), PathStyle: true, Bucket: local.DefaultBucket, Region: local.Region,
		Credentials: s3store.Static(s.Credentials().Access, s.Credentials().Secret, ""),
	}, gateway()
}

func TestConformanceOfEndpoint(t *testing.T) {
	t.Parallel()
	cfg, f := endpoint(t)
	storetest.Test(t, func(t *testing.T) store.Store {
		s, err := s3store.New(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}, f)
}
