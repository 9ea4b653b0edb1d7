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

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/memstore/memhttp"
	"github.com/s3levelfs/s3levelfs/store/s3store"
	"github.com/s3levelfs/s3levelfs/tests/rig"
)

// TestNamesInOneDirectory: a directory of S3LEVELFS_NAMES files (20,000; a million in make soak) is listed with few requests, the second
// time with none, within the memory that the mount may have, and its first names are there after one page. With S3LEVELFS_DELAY each answer
// comes so much later (20ms), and the time of a client that takes one page after the other is printed beside.
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
	delay := delayOf(t)
	handler := memhttp.Handler("names", mem)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("list-type") {
			lists.Add(1)
		}
		time.Sleep(delay)
		handler.ServeHTTP(w, r)
	}))
	defer server.Close()
	if delay > 0 {
		serially(t, server.URL, n)
		lists.Store(0)
	}
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

// delayOf is how much later each answer comes.
func delayOf(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("S3LEVELFS_DELAY")
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// serially lists the directory as a client does that takes one page after the other.
func serially(t *testing.T, endpoint string, n int) {
	t.Helper()
	s, err := s3store.New(t.Context(), s3store.Config{
		Bucket: "names", Region: "us-east-1", Endpoint: endpoint, PathStyle: true, Credentials: s3store.Static("id", "secret", ""),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	start, keys, pages := time.Now(), 0, 0
	for page, err := range s.List(t.Context(), "public/d/", store.ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		keys += len(page.Objects)
		pages++
	}
	if keys != n {
		t.Fatalf("%d keys, want %d", keys, n)
	}
	t.Logf("one page after the other: %d keys in %v with %d LISTs", keys, time.Since(start).Round(time.Millisecond), pages)
}
