package app

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/store/memstore"
)

// TestPutEncrypts: put asks for the encryption and the storage class that options name, for one request and for parts, and cp keeps them.
func TestPutEncrypts(t *testing.T) {
	dir := makeTree(t, 2)
	mem := memstore.New(memstore.Config{})
	run := command(t, mem)
	for _, file := range []string{"f01", "large"} {
		if out, code := run("put", "--sse", "aws:kms", "--sse-kms-key-id", "key", "--bucket-key", "true", "--storage-class", "STANDARD_IA", filepath.Join(dir, file), file); code != cmdline.ExitOK {
			t.Fatalf("%s: %s", file, out)
		}
		if out, code := run("cp", file, "copy"); code != cmdline.ExitOK {
			t.Fatalf("cp %s: %s", file, out)
		}
		want, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{file, "copy"} {
			o, _ := mem.Object("public/" + key)
			if h := o.Headers; h.SSE != "aws:kms" || h.SSEKMSKeyID != "key" || !h.BucketKey || h.StorageClass != "STANDARD_IA" || string(o.Data) != string(want) {
				t.Errorf("%s of %s: %d bytes, %+v", key, file, len(o.Data), h)
			}
		}
	}
}
