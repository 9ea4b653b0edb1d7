package s3store_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/s3store"
)

// TestFindCredentials: the kind is told, never a value.
func TestFindCredentials(t *testing.T) {
	nowhere := filepath.Join(t.TempDir(), "nothing")
	t.Setenv("AWS_CONFIG_FILE", nowhere)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", nowhere)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	if c, err := s3store.FindCredentials(t.Context(), ""); err == nil || !strings.HasPrefix(err.Error(), "no usable credentials") {
		t.Errorf("nothing there: %+v, %v", c, err)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
	t.Setenv("AWS_SECRET_ACCESS_KEY", secret)
	c, err := s3store.FindCredentials(t.Context(), "")
	if err != nil || c.Kind != "EnvConfigCredentials" || !c.Expires.IsZero() || strings.Contains(c.Kind, secret) {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := s3store.FindCredentials(t.Context(), "no-such-profile"); err == nil {
		t.Error("a profile that does not exist was found")
	}
}

// TestHandedCredentials: those of who opens the bucket sign each request; that there are none is ErrCredentials, that they are not to be had
// now ErrTransient, and neither is sent.
func TestHandedCredentials(t *testing.T) {
	f := newFake(t, serveContent)
	var give error
	s, err := store.Open(t.Context(), "s3", store.Options{
		Bucket: "bucket", Region: "eu-west-1", Endpoint: f.URL, PathStyle: true, MaxAttempts: 2, Profile: "no-such-profile",
		Credentials: func(context.Context) (store.Credentials, error) {
			return store.Credentials{AccessKey: "AKIDHANDED", SecretKey: secret, SessionToken: "token"}, give
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if _, err := s.Head(t.Context(), "k", store.Cond{}); err != nil {
		t.Fatal(err)
	}
	r := f.requests()[0]
	if auth := r.Header.Get("Authorization"); !strings.Contains(auth, "AKIDHANDED/") || r.Header.Get("X-Amz-Security-Token") != "token" {
		t.Errorf("signed by %q", auth)
	}
	for _, tt := range []struct {
		give, kind error
		passes     bool
	}{
		{errors.New("login needed"), store.ErrCredentials, false},
		{fmt.Errorf("sign-in service away: %w", store.ErrTransient), store.ErrTransient, true},
		{context.DeadlineExceeded, store.ErrTransient, true},
	} {
		give = tt.give
		_, err := s.Head(t.Context(), "k", store.Cond{})
		if !errors.Is(err, tt.kind) || errors.Is(err, store.ErrCredentials) == tt.passes || !strings.Contains(err.Error(), give.Error()) {
			t.Errorf("%v: got %v", give, err)
		}
	}
	if n := len(f.requests()); n != 1 {
		t.Errorf("%d requests", n)
	}
}
