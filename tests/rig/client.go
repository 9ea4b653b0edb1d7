package rig

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/s3store"
)

// Client speaks to a server without a mount: the foreign writer, or the judge.
func Client(t *testing.T, endpoint, access, secret string) store.Store {
	t.Helper()
	s, err := s3store.New(t.Context(), s3store.Config{
		Bucket: Bucket, Endpoint: endpoint, Region: "us-east-1", PathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(access, secret, ""),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}
