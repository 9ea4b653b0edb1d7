package script

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/tests/rig"
)

// bucketMount is a mount of a server behind a proxy.
type bucketMount struct {
	*rig.Mount
	server *rig.Server
	proxy  *rig.Proxy
	top    string
}

func newBucketMount(t *testing.T, options ...string) *bucketMount {
	t.Helper()
	return newBucketMountIn(t, t.TempDir(), options...)
}

// newBucketMountIn is newBucketMount in a directory that the test has made ready.
func newBucketMountIn(t *testing.T, top string, options ...string) *bucketMount {
	t.Helper()
	b := &bucketMount{top: top}
	b.server = rig.StartServer(t, filepath.Join(b.top, "data"))
	b.proxy = rig.StartProxy(t, b.server.Endpoint)
	options = append([]string{"--bucket", rig.Bucket, "--endpoint", b.proxy.Endpoint, "--path-style", "--identity-id", rig.Identity}, options...)
	b.Mount = rig.MountAt(t, b.top, b.server.Env, options...)
	return b
}

func (b *bucketMount) private(name string) string { return filepath.Join(b.Dir, "private", name) }

func privateKey(name string) string { return "private/" + rig.Identity + "/" + name }

// ok runs a command that must succeed.
func (b *bucketMount) ok(t *testing.T, args ...string) string {
	t.Helper()
	out, stderr, code := b.Run(t, args...)
	if code != 0 {
		t.Fatalf("%q: exit %d: %s%s", args, code, out, stderr)
	}
	return out
}

type listed struct {
	Items []struct{ Key, State, Error, Generation string }
	Kept  []struct{ Key, Generation, Reason string }
}

func (b *bucketMount) spool(t *testing.T) listed {
	t.Helper()
	var all []listed
	if err := json.Unmarshal([]byte(b.ok(t, "spool", "ls", "--json", "--state-dir", filepath.Join(b.top, "state"))), &all); err != nil || len(all) != 1 {
		t.Fatalf("spool ls: %v, %d spools", err, len(all))
	}
	return all[0]
}

// until looks again until it is so.
func until(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// TestSpoolExportOfRanges: of changes whose base is gone the file has what is ours, and holes.
func TestSpoolExportOfRanges(t *testing.T) {
	b := newBucketMount(t)
	const size = 1 << 20
	// by somebody else: the bytes of our own file would be in the cache
	if _, err := b.server.Client(t).Put(t.Context(), privateKey("f"), rig.Body(strings.Repeat("o", size)), store.Headers{}, store.Cond{}); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(b.private("f"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	for off, text := range map[int64]string{100: "ours", size - 3: "end"} {
		if _, err := f.WriteAt([]byte(text), off); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.server.Client(t).Put(t.Context(), privateKey("f"), rig.Body("foreign"), store.Headers{}, store.Cond{}); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); !errors.Is(err, unix.ESTALE) {
		t.Errorf("close: %v", err)
	}
	l := b.spool(t)
	if len(l.Kept) != 1 || l.Kept[0].Reason != "base-lost" {
		t.Fatalf("spool ls: %+v", l)
	}
	out := filepath.Join(b.top, "out")
	b.ok(t, "spool", "export", l.Kept[0].Generation, "-o", out)
	got, err := os.ReadFile(out)
	want := make([]byte, size)
	copy(want[100:], "ours")
	copy(want[size-3:], "end")
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("exported %d bytes, %v", len(got), err)
	}
	text, err := os.ReadFile(out + ".ranges")
	var ranges struct {
		Size   int64
		Ranges []struct{ Offset, Length int64 }
	}
	if err == nil {
		err = json.Unmarshal(text, &ranges)
	}
	if err != nil || ranges.Size != size || len(ranges.Ranges) != 2 || ranges.Ranges[0].Offset != 100 || ranges.Ranges[0].Length != 4 {
		t.Errorf("ranges: %s, %v", text, err)
	}
	if err := os.Remove(out); err != nil {
		t.Fatal(err)
	}
	if _, stderr, code := b.Run(t, "spool", "export", l.Kept[0].Generation, "-o", out); code != 1 || !strings.Contains(stderr, "out.ranges exists") {
		t.Errorf("export over ranges: exit %d: %s", code, stderr)
	}
	if _, err := os.Stat(out); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half an export is there: %v", err)
	}
	b.Unmount(t)
}

// TestSpoolRetry: what has failed is listed with its error, and tried at once when that is asked for.
func TestSpoolRetry(t *testing.T) {
	b := newBucketMount(t, "--max-attempts", "1")
	if err := os.WriteFile(b.private("first"), nil, 0o600); err != nil { // proves the level
		t.Fatal(err)
	}
	b.ok(t, "sync", b.Dir)
	b.proxy.SetJudge(func(r *http.Request) int {
		if r.Method == http.MethodPut {
			return http.StatusServiceUnavailable
		}
		return 0
	})
	if err := os.WriteFile(b.private("f"), []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	until(t, "shown as failed", func() bool {
		l := b.spool(t)
		return len(l.Items) == 1 && l.Items[0].State == "failed" && strings.Contains(l.Items[0].Error, "SlowDown")
	})
	if out := b.ok(t, "spool", "ls"); !strings.Contains(out, "SlowDown") || !strings.Contains(out, "failed") {
		t.Errorf("spool ls: %s", out)
	}
	out := filepath.Join(b.top, "out")
	b.ok(t, "spool", "export", privateKey("f"), "-o", out)
	if got, err := os.ReadFile(out); err != nil || string(got) != "data" {
		t.Errorf("exported %q, %v", got, err)
	}
	b.proxy.SetJudge(nil)
	b.ok(t, "spool", "retry")
	b.ok(t, "sync", b.Dir)
	body, _, err := b.server.Client(t).Get(t.Context(), privateKey("f"), store.All, store.Cond{})
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if got, err := io.ReadAll(body); err != nil || string(got) != "data" {
		t.Errorf("stored %q, %v", got, err)
	}
	b.Unmount(t)
}
