package faults

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/tests/rig"
)

// outage is how long the server is away: 8 s in CI; `make soak` makes it 40 s.
func outage(t *testing.T) time.Duration {
	text := os.Getenv("S3LEVELFS_OUTAGE")
	if text == "" {
		return 8 * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// tree makes 500 files in 20 directories.
func tree(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tree")
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range 500 {
		d := filepath.Join(dir, fmt.Sprintf("d%d", i%20))
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
		p := make([]byte, rnd.IntN(20_000))
		for j := range p {
			p[j] = byte(rnd.Uint32())
		}
		if err := os.WriteFile(filepath.Join(d, fmt.Sprintf("f%d", i)), p, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestOutageWhileCopyingIn(t *testing.T) {
	w := newWorld(t)
	src := tree(t)
	back := make(chan struct{})
	go func() {
		defer close(back)
		<-time.After(150 * time.Millisecond)
		w.Proxy.SetDown(true)
		<-time.After(outage(t))
		w.Proxy.SetDown(false)
	}()
	if out, err := shell(t, outage(t)+60*time.Second, "cp -r "+src+" "+w.path("private", "tree")); err != nil {
		t.Errorf("cp: %v\n%s", err, out)
	}
	<-back
	// What failed meanwhile is retried after at most its delay.
	within(t, outage(t)+60*time.Second, "everything uploaded", func() bool {
		_, _, code := w.Run(t, "sync", w.Dir)
		return code == 0
	})
	if out, err := shell(t, time.Minute, "diff -r "+src+" "+filepath.Join(w.Server.Data, rig.Bucket, "private", rig.Identity, "tree")); err != nil {
		t.Errorf("bucket differs: %v\n%s", err, out)
	}
	w.Unmount(t)
}

func TestOutageWhileCopyingOut(t *testing.T) {
	w := newWorld(t)
	src := tree(t)
	if out, err := shell(t, time.Minute, "cp -r "+src+" "+w.path("private", "tree")); err != nil {
		t.Fatalf("cp: %v\n%s", err, out)
	}
	w.remount(t)
	if _, err := shell(t, time.Minute, "find "+w.path("private")+" | wc -l"); err != nil {
		t.Fatal(err)
	}
	w.Proxy.SetDown(true)
	dst := filepath.Join(t.TempDir(), "out")
	start := time.Now()
	out, err := shell(t, 4*time.Minute, "head -c 10 "+w.path("private", "tree", "d1", "f1")+"; cp -r "+w.path("private", "tree", "d1")+" "+dst+" 2>&1 | head -3")
	t.Logf("reads without the server took %v: %v\n%s", time.Since(start), err, out)
	if !strings.Contains(out, "Input/output error") {
		t.Errorf("uncached file without the server: %v, %s", err, out)
	}
	if strings.Contains(out, "No such file") {
		t.Errorf("something that exists shows as missing: %s", out)
	}
	w.Proxy.SetDown(false)
	if out, err := shell(t, time.Minute, "diff -r "+src+" "+w.path("private", "tree")); err != nil {
		t.Errorf("after the outage: %v\n%s", err, out)
	}
	w.Unmount(t)
}

// TestUnmountWithoutServer: umount ends in time and says what is left; the next mount uploads it.
func TestUnmountWithoutServer(t *testing.T) {
	w := newWorld(t)
	write(t, w.path("private", "first"), "proves the level")
	if _, stderr, code := w.Run(t, "sync", w.Dir); code != 0 {
		t.Fatalf("sync: %s", stderr)
	}
	w.Proxy.SetDown(true)
	write(t, w.path("private", "kept"), "kept")
	_, stderr, code := w.Run(t, "umount", "--timeout", "5s", w.Dir)
	if code != 75 || !strings.Contains(stderr, "1 change") {
		t.Errorf("umount: exit %d: %s", code, stderr)
	}
	w.Kill()
	w.Proxy.SetDown(false)
	w.Mount = rig.MountAt(t, w.Top, w.Server.Env, w.Options...)
	if got := read(t, w.path("private", "kept")); got != "kept" {
		t.Errorf("after the next mount: %q", got)
	}
	w.Unmount(t)
	if got, _ := w.stored(t, "private/"+rig.Identity+"/kept"); got != "kept" {
		t.Errorf("in the bucket: %q", got)
	}
}
