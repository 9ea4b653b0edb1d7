package script

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

type finding struct{ Check, Level, Thing, Value, Mend string }

// findings are those of doctor --json; more are its options.
func (b *bucketMount) findings(t *testing.T, more ...string) (found []finding, code int) {
	t.Helper()
	args := append([]string{"doctor", "--json", "--state-dir", filepath.Join(b.top, "state"), "--cache-dir", filepath.Join(b.top, "cache")}, more...)
	out, stderr, code := b.Run(t, args...)
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		t.Fatalf("doctor: %v, exit %d: %s%s", err, code, out, stderr)
	}
	return found, code
}

// wantProblem looks for a problem of a check whose value and mend have these parts.
func (b *bucketMount) wantProblem(t *testing.T, check, value, mend string) {
	t.Helper()
	found, code := b.findings(t)
	if code != 2 {
		t.Errorf("exit code %d, want 2", code)
	}
	for _, f := range found {
		if f.Level == "problem" && f.Check == check && strings.Contains(f.Value, value) && strings.Contains(f.Mend, mend) {
			return
		}
	}
	t.Errorf("no problem %q with %q, mend %q, in %+v", check, value, mend, found)
}

// TestDoctorOfUploads: what can not be uploaded is told of a running mount, of one that was killed, and of a spool that nobody
// has mounted, with the command that uploads it.
func TestDoctorOfUploads(t *testing.T) {
	b := newBucketMount(t, "--max-attempts", "1")
	b.write(t, "first", "proves the level")
	b.ok(t, "sync", b.Dir)
	if found, code := b.findings(t); code != 0 {
		t.Errorf("exit code %d of a good one: %+v", code, found)
	}
	b.refuse(true)
	b.write(t, "f", "text")
	until(t, "the failure in status", func() bool { return b.uploads(t).Failed == 1 })
	b.wantProblem(t, "upload", "503", "s3levelfs spool retry")
	b.Kill()
	b.wantProblem(t, "upload", "503", "mount it again: s3levelfs mount --bucket rig --endpoint "+b.proxy.Endpoint+" --identity-id us-east-1:")
	b.wantProblem(t, "spool", "1 change not uploaded yet (4 B), the oldest since ", "mount it again: ")
	if text := b.ok(t, "spool", "ls", "--state-dir", filepath.Join(b.top, "state")); !strings.Contains(text, "last time: ") || !strings.Contains(text, " ago ") {
		t.Errorf("spool ls without a mount tells neither why nor since when:\n%s", text)
	}

	data, err := filepath.Glob(filepath.Join(b.top, "state", "*", "spool", "seg", "*.seg"))
	if err != nil || len(data) == 0 {
		t.Fatalf("segments %q, %v", data, err)
	}
	for _, path := range data {
		if err := os.Truncate(path, 20); err != nil {
			t.Fatal(err)
		}
	}
	b.wantProblem(t, "spool", "its bytes are damaged", "check the disk")
}

// TestDoctorOfTheClock: a server whose time is another's.
func TestDoctorOfTheClock(t *testing.T) {
	b := newBucketMount(t)
	late := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
	}))
	defer late.Close()
	found, code := b.findings(t, "--endpoint", late.URL)
	i := slices.IndexFunc(found, func(f finding) bool { return f.Check == "clock" })
	if code != 2 || i < 0 || found[i].Level != "problem" || !strings.Contains(found[i].Value, "off by") || !strings.Contains(found[i].Mend, "timedatectl") {
		t.Errorf("exit %d, %+v", code, found)
	}
	b.Unmount(t)
}
