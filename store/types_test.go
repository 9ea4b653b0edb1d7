package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/store"
)

func TestCloneIsDeep(t *testing.T) {
	h := store.Headers{ContentType: "text/plain", SSE: "aws:kms", BucketKey: true, Metadata: map[string]string{"a": "1"}}
	c := h.Clone()
	if d := cmp.Diff(h, c); d != "" {
		t.Error(d)
	}
	c.Metadata["a"], c.Metadata["b"] = "2", "3"
	if d := cmp.Diff(map[string]string{"a": "1"}, h.Metadata); d != "" {
		t.Errorf("the clone shares its metadata:\n%s", d)
	}
	if got := (store.Headers{}).Clone(); got.Metadata != nil {
		t.Errorf("clone of no metadata is %v", got.Metadata)
	}
}

func TestS3Limits(t *testing.T) {
	l := store.S3Limits()
	if l.MaxPart*int64(l.MaxParts) < l.MaxObject || l.MinPart > l.MaxPart || l.CopyCond {
		t.Errorf("%+v", l)
	}
}
