package script

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/tests/rig"
)

// TestNotify: a command of the user's hears of an upload that fails, once, and of a conflict.
func TestNotify(t *testing.T) {
	out := filepath.Join(t.TempDir(), "told")
	b := newBucketMount(t, "--max-attempts", "1", "--notify",
		`printf '%s %s %s\n' "$S3LEVELFS_EVENT" "$S3LEVELFS_PATH" "$S3LEVELFS_OTHER" >>`+out)
	told := func() string {
		text, err := os.ReadFile(out)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return string(text)
	}
	for _, name := range []string{"first", "f"} { // proves the level
		if err := os.WriteFile(b.private(name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b.ok(t, "sync", b.Dir)
	b.proxy.SetJudge(func(r *http.Request) int {
		if r.Method == http.MethodPut {
			return http.StatusServiceUnavailable
		}
		return 0
	})
	if err := os.WriteFile(b.private("f"), []byte("ours"), 0o600); err != nil {
		t.Fatal(err)
	}
	until(t, "told of the failure", func() bool { return told() == "failed private/f \n" })
	if _, err := b.server.Client(t).Put(t.Context(), privateKey("f"), rig.Body("foreign"), store.Headers{}, store.Cond{}); err != nil {
		t.Fatal(err)
	}
	b.proxy.SetJudge(nil)
	b.ok(t, "spool", "retry")
	until(t, "told of the conflict", func() bool {
		return strings.HasPrefix(told(), "failed private/f \nconflict private/f private/f (conflict ")
	})
	b.Unmount(t)
}

// TestUploadLimit: an upload takes the time that its rate asks for.
func TestUploadLimit(t *testing.T) {
	b := newBucketMount(t, "--upload-limit", "1MiB")
	began := time.Now()
	if err := os.WriteFile(b.private("f"), make([]byte, 3<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	b.ok(t, "sync", b.Dir)
	if d := time.Since(began); d < 2*time.Second {
		t.Errorf("3 seconds' worth took %v", d)
	}
	b.Unmount(t)
}
