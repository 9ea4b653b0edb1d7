package faults

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/memstore/memhttp"
	"github.com/s3levelfs/s3levelfs/tests/rig"
)

// TestNamesInOneDirectory: a directory of S3LEVELFS_NAMES files (20,000; a million in make soak) is listed with few requests, the second
// time with none, within the memory that the mount may have, and its first names are there after one page.
func TestNamesInOneDirectory(t *testing.T) {
	n := 20_000
	if text := os.Getenv("S3LEVELFS_NAMES"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	const memory = 192 * mib // with 64 MiB beside it: 256 MiB
	mem := memstore.New(memstore.Config{})
	for i := range n {
		mem.PutString(fmt.Sprintf("public/d/file-%07d", i), "x")
	}
	var lists atomic.Int64
	handler := memhttp.Handler("names", mem)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("list-type") {
			lists.Add(1)
		}
		handler.ServeHTTP(w, r)
	}))
	defer server.Close()
	m := rig.MountAt(t, t.TempDir(), []string{"AWS_ACCESS_KEY_ID=id", "AWS_SECRET_ACCESS_KEY=secret"},
		"--endpoint", server.URL, "--bucket", "names", "--region", "us-east-1", "--path-style", "--identity-id", rig.Identity,
		"--memory", "192MiB", "--metadata-ttl", "1h", "--attrs", "listing")
	dir := filepath.Join(m.Dir, "public", "d")
	if out, err := shell(t, time.Minute, fmt.Sprintf("ls -f '%s' | grep -c -m 1 file", dir)); err != nil || strings.TrimSpace(out) != "1" {
		t.Fatalf("%s %v", out, err)
	}
	t.Logf("the first name: %d LISTs", lists.Swap(0))
	pages := int64(n+999) / 1000
	for _, most := range []int64{pages*3/2 + 1, 0} {
		start := time.Now()
		out, err := shell(t, 5*time.Minute, fmt.Sprintf("ls -f '%s' | grep -c file", dir))
		if err != nil || strings.TrimSpace(out) != strconv.Itoa(n) {
			t.Fatalf("%s names, want %d: %v\n%s", out, n, err, m.Log())
		}
		asked := lists.Swap(0)
		t.Logf("%d names in %v with %d LISTs", n, time.Since(start).Round(time.Millisecond), asked)
		if asked > most {
			t.Errorf("%d LISTs, want %d at most", asked, most)
		}
	}
	peak := peakMemory(t, m)
	t.Logf("the mount's memory was at most %d MiB", peak/mib)
	if peak > memory+64*mib {
		t.Errorf("the mount needs %d MiB, more than --memory + 64 MiB", peak/mib)
	}
	m.Unmount(t)
}
