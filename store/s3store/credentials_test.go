package s3store_test

import (
	"path/filepath"
	"strings"
	"testing"

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
