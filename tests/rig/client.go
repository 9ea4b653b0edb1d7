package rig

import (
	"io"
	"strings"
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

// Client speaks to the server as its owner.
func (s *Server) Client(t *testing.T) store.Store {
	t.Helper()
	get := func(name string) string {
		for _, pair := range s.Env {
			if v, ok := strings.CutPrefix(pair, name+"="); ok {
				return v
			}
		}
		t.Fatalf("the server has told no %s", name)
		return ""
	}
	return Client(t, s.Endpoint, get("AWS_ACCESS_KEY_ID"), get("AWS_SECRET_ACCESS_KEY"))
}

// Body is a request body.
func Body(text string) *io.SectionReader {
	return io.NewSectionReader(strings.NewReader(text), 0, int64(len(text)))
}
