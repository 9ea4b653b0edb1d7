package access

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/s3levelfs/s3levelfs/tests/rig"
)

// run runs a command as somebody.
func run(t *testing.T, access, secret string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "timeout", append([]string{"60", rig.Bin}, args...)...)
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+access, "AWS_SECRET_ACCESS_KEY="+secret, "HOME="+t.TempDir())
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	if ee, ok := errors.AsType[*exec.ExitError](err); ok {
		code = ee.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return out.String(), said.String(), code
}

// What an app's user may not set up is denied, step by step, with the right that it needs; who administers the server
// may, and doing it twice changes nothing.
func TestSetUp(t *testing.T) {
	server := serve(t, filepath.Join(t.TempDir(), "data"))
	alice, root := people()[0], server.Credentials()
	at := []string{"--endpoint", server.Endpoint(), "--path-style"}
	states := func(out string) string {
		t.Helper()
		var steps []struct{ Step, State, Mend string }
		if err := json.Unmarshal([]byte(out), &steps); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		var text []string
		for _, s := range steps {
			text = append(text, s.Step+": "+s.State)
		}
		return strings.Join(text, ", ")
	}
	const roles = ", policy auth: for you to run, policy unauth: for you to run"
	initialize := append([]string{"init", "--json", "--apply", "--bucket", rig.Bucket}, at...)
	out, said, code := run(t, alice.access(), alice.secret(), initialize...)
	if got := states(out); code != 77 || got != "bucket: denied, cors: denied, lifecycle: not supported"+roles || !strings.Contains(said, "needs s3:ListBucket: use the credentials of who administers the bucket") || strings.Count(said, "\n") != 1 {
		t.Errorf("exit %d, %s: %s", code, got, said)
	}
	if _, said, code := run(t, alice.access(), alice.secret(), append([]string{"cors", "apply", "--bucket", rig.Bucket}, at...)...); code != 77 || !strings.Contains(said, "needs s3:GetBucketCORS") {
		t.Errorf("exit %d: %s", code, said)
	}
	if out, said, code := run(t, root.Access, root.Secret, initialize...); code != 0 || states(out) != "bucket: already there, cors: done, lifecycle: not supported"+roles {
		t.Errorf("exit %d, %s: %s", code, out, said)
	}
	if out, said, code := run(t, root.Access, root.Secret, initialize...); code != 0 || states(out) != "bucket: already there, cors: already there, lifecycle: not supported"+roles {
		t.Errorf("exit %d, %s: %s", code, out, said)
	}
	// Who may set nothing up may still ask as a browser does.
	check := append([]string{"cors", "check", "--origin", "https://app.example.com", "--bucket", rig.Bucket}, at...)
	if out, said, code := run(t, alice.access(), alice.secret(), check...); code != 0 || !strings.Contains(out, "yes  method   DELETE  (https://app.example.com)") || !strings.Contains(out, "yes  header   x-amz-meta-name") || !strings.Contains(out, "yes  exposed  ETag") {
		t.Errorf("exit %d, %s: %s", code, out, said)
	}
	made := append([]string{"init", "--json", "--apply", "--create", "--bucket", "made-by-init"}, at...)
	if out, said, code := run(t, root.Access, root.Secret, made...); code != 0 || states(out) != "bucket: done, cors: done, lifecycle: not supported"+roles {
		t.Errorf("exit %d, %s: %s", code, out, said)
	}
	if _, said, code := run(t, alice.access(), alice.secret(), append([]string{"init", "--bucket", "another"}, at...)...); code != 78 || !strings.Contains(said, "bucket another does not exist") {
		t.Errorf("exit %d: %s", code, said)
	}
}
