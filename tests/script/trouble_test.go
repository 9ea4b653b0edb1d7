package script

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/tests/rig"
)

// log is what the mount has logged.
func (b *bucketMount) log(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(b.top, "log"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// figures are the lines of /metrics.
func (b *bucketMount) figures(t *testing.T) string {
	t.Helper()
	all := regexp.MustCompile(`metrics.*?(127\.0\.0\.1:\d+)`).FindAllStringSubmatch(b.log(t), -1)
	if len(all) == 0 {
		t.Fatalf("the log does not name the address of the metrics:\n%s", b.log(t))
	}
	answer, err := http.Get("http://" + all[len(all)-1][1] + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (b *bucketMount) wantFigure(t *testing.T, line string) {
	t.Helper()
	if text := b.figures(t); !strings.Contains(text, "\n"+line+"\n") {
		t.Errorf("metrics have no %q:\n%s", line, text)
	}
}

// fact is an attribute of a file.
func (b *bucketMount) fact(path, name string) string {
	buf := make([]byte, 4096)
	n, err := unix.Getxattr(path, "user.s3levelfs."+name, buf)
	if err != nil {
		return err.Error()
	}
	return string(buf[:n])
}

func (b *bucketMount) wantFact(t *testing.T, path, name, part string) {
	t.Helper()
	if got := b.fact(path, name); !strings.Contains(got, part) {
		t.Errorf("%s of %s: %q, want %q in it", name, path, got, part)
	}
}

func (b *bucketMount) wantLog(t *testing.T, part string) {
	t.Helper()
	if !strings.Contains(b.log(t), part) {
		t.Errorf("the log does not say %q:\n%s", part, b.log(t))
	}
}

// uploads is what status --json says of them.
func (b *bucketMount) uploads(t *testing.T) (u struct {
	Conflicts, Failed, Quarantined int
	BaseLost                       int `json:"base_lost"`
},
) {
	t.Helper()
	var all []struct{ Uploads json.RawMessage }
	if err := json.Unmarshal([]byte(b.ok(t, "status", "--json", b.Dir)), &all); err != nil || len(all) != 1 {
		t.Fatalf("status: %v, %d mounts", err, len(all))
	}
	if err := json.Unmarshal(all[0].Uploads, &u); err != nil {
		t.Fatal(err)
	}
	return u
}

func (b *bucketMount) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(b.private(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (b *bucketMount) foreign(t *testing.T, name, text string) {
	t.Helper()
	if _, err := b.server.Client(t).Put(t.Context(), privateKey(name), rig.Body(text), store.Headers{}, store.Cond{}); err != nil {
		t.Fatal(err)
	}
}

// TestTroubleIsToldEverywhere: a conflict, a failed upload, a lost base and what a crash leaves are in status, in the log, in the
// metrics and in the attributes of the file. (TestNotify and the events of package uploader are the fifth place.)
func TestTroubleIsToldEverywhere(t *testing.T) {
	top := t.TempDir()
	options := []string{"--max-attempts", "1", "--metrics", "127.0.0.1:0", "--metadata-ttl", "0s", "--log-file", filepath.Join(top, "log")}
	b := newBucketMountIn(t, top, options...)
	for _, name := range []string{"conflict", "failed", "half"} {
		b.write(t, name, strings.Repeat("base ", 1000))
	}
	b.ok(t, "sync", b.Dir)
	b.wantFigure(t, `s3levelfs_events_total{kind="conflict"} 0`)
	b.wantFact(t, b.private("conflict"), "state", "clean")

	b.refuse(true)
	b.write(t, "failed", "ours")
	until(t, "the failure in status", func() bool { return b.uploads(t).Failed == 1 })
	b.wantFigure(t, `s3levelfs_changes{state="failed"} 1`)
	b.wantFigure(t, `s3levelfs_events_total{kind="failed"} 1`)
	b.wantFact(t, b.private("failed"), "state", "failed")
	b.wantFact(t, b.private("failed"), "error", "503")
	b.wantLog(t, "upload failed, will be tried again")

	b.write(t, "conflict", "ours")
	until(t, "both waiting", func() bool { return b.uploads(t).Failed == 2 })
	b.foreign(t, "conflict", "theirs")
	b.refuse(false)
	b.ok(t, "spool", "retry")
	until(t, "the conflict in status", func() bool { return b.uploads(t).Conflicts == 1 })
	b.wantFigure(t, "s3levelfs_conflicts_total 1")
	b.wantFigure(t, `s3levelfs_events_total{kind="conflict"} 1`)
	b.wantLog(t, "somebody else has changed the object, both are kept")
	b.wantFact(t, b.private("conflict"), "state", "conflict")
	b.wantFact(t, b.private("conflict"), "conflict", "private/conflict (conflict ")
	if text := b.ok(t, "status", b.Dir); !strings.Contains(text, "conflicts    1 since the mount") {
		t.Errorf("status does not tell of the conflict:\n%s", text)
	}
	b.lostBase(t)
	b.half(t)
	b.Mount = rig.MountAt(t, top, b.server.Env, append([]string{
		"--bucket", rig.Bucket, "--endpoint", b.proxy.Endpoint, "--path-style", "--identity-id", rig.Identity,
	}, options...)...)
	if u := b.uploads(t); u.Quarantined != 1 || u.BaseLost != 1 {
		t.Errorf("status after the crash: %+v", u)
	}
	b.wantFigure(t, `s3levelfs_kept{reason="quarantined"} 1`)
	b.wantFigure(t, `s3levelfs_events_total{kind="quarantined"} 1`)
	b.wantFact(t, b.private("half"), "state", "quarantined")
	b.wantFact(t, b.private("half"), "error", "s3levelfs spool export ")
	b.wantLog(t, "what there is of a file stays in the spool and is not uploaded")
	b.wantLog(t, "it was being written when the mount ended")
	b.Unmount(t)
}

// refuse lets the server refuse uploads.
func (b *bucketMount) refuse(on bool) {
	if !on {
		b.proxy.SetJudge(nil)
		return
	}
	b.proxy.SetJudge(func(r *http.Request) int {
		if r.Method == http.MethodPut {
			return http.StatusServiceUnavailable
		}
		return 0
	})
}

// lostBase changes a part of a file that somebody else replaces.
func (b *bucketMount) lostBase(t *testing.T) {
	t.Helper()
	b.foreign(t, "delta", strings.Repeat("base ", 1000)) // the bytes of our own file would be in the cache
	f, err := os.OpenFile(b.private("delta"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("ours"), 100); err != nil {
		t.Fatal(err)
	}
	b.foreign(t, "delta", "theirs")
	if err := f.Close(); err == nil {
		t.Error("close of a change whose base is gone says nothing")
	}
	until(t, "the lost base in status", func() bool { return b.uploads(t).BaseLost == 1 })
	b.wantFigure(t, `s3levelfs_kept{reason="base-lost"} 1`)
	b.wantFigure(t, `s3levelfs_events_total{kind="base-lost"} 1`)
	b.wantFact(t, b.private("delta"), "state", "base-lost")
	b.wantFact(t, b.private("delta"), "error", "s3levelfs spool export ")
	b.wantLog(t, "the base of a changed file is gone")
}

// half kills the daemon while a file is being written.
func (b *bucketMount) half(t *testing.T) {
	t.Helper()
	b.ok(t, "sync", b.Dir)
	f, err := os.OpenFile(filepath.Clean(b.private("half")), os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := f.WriteString("half"); err != nil {
		t.Fatal(err)
	}
	b.Kill()
}
