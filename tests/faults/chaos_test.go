package faults

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/tests/rig"
)

// trouble is how TestChaos goes: a moment in CI; with S3LEVELFS_CHAOS so long, and in earnest.
type trouble struct {
	last  time.Duration // of the work
	hole  time.Duration // nothing arrives
	stall time.Duration // of single requests
}

func troubleOf(t *testing.T) trouble {
	text := os.Getenv("S3LEVELFS_CHAOS")
	if text == "" {
		return trouble{last: 14 * time.Second, hole: 3 * time.Second, stall: 5 * time.Second}
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return trouble{last: d, hole: 30 * time.Second, stall: 70 * time.Second} // a request is given up after a minute
}

// promised are the bounds of single system calls, by docs/SEMANTICS.md: what only reads has 20 s, an open is a lookup and an
// open; a close waits for the proof of its level, and for the bytes of a stored version, 5 s each.
func promised() map[string]time.Duration {
	const reads = 20 * time.Second
	return map[string]time.Duration{
		"read": reads, "stat": reads, "list": reads, "open": 2 * reads, "close": 10*time.Second + time.Second,
	}
}

// TestChaos has programs write, rename, remove, list and read while a tenth of all requests is refused, others stall, are
// cut before or after the server has acted, answers end in the middle, and for a while nothing arrives at all. What is read
// is right or an error, in the promised time; when the trouble is over all is uploaded, the bucket is what the programs made,
// and nothing is there twice.
func TestChaos(t *testing.T) {
	how := troubleOf(t)
	seed := rand.Uint64()
	if s := os.Getenv("S3LEVELFS_CHAOS_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("seed %d, %+v", seed, how)
	w := newWorld(t, "--memory", "16MiB", "--metadata-ttl", "1s")
	write(t, w.path("private", "first"), "proves the level")
	syncAll(t, w)
	c := &chaosLoad{world: w, times: newLatencies(), end: time.Now().Add(how.last)}
	trouble := rig.Chaos{Seed: seed, Refused: 10, Stalled: 1, Reset: 1, Truncated: 2, Stall: how.stall}
	if how.last < time.Minute { // some hundred requests: more of each, so that none is missing
		trouble.Stalled, trouble.Reset, trouble.Truncated = 3, 3, 8
	}
	w.Proxy.SetChaos(trouble)
	go func() {
		<-time.After(how.last / 3)
		w.Proxy.SetBlackHole(true)
		<-time.After(how.hole)
		w.Proxy.SetBlackHole(false)
	}()
	defer w.Proxy.SetBlackHole(false)
	writers := c.run(t, seed)
	counts := w.Proxy.SetChaos(rig.Chaos{})
	t.Logf("%+v", counts)
	for what, n := range map[string]int{
		"503": counts.Refused, "stalls": counts.StalledBefore + counts.StalledAfter,
		"resets": counts.ResetBefore + counts.ResetAfter, "truncated bodies": counts.Truncated,
	} {
		if n == 0 {
			t.Errorf("no %s: the test proves nothing about them", what)
		}
	}
	start := time.Now()
	syncAll(t, w)
	t.Logf("drained %v after the trouble was over", time.Since(start).Round(time.Millisecond))
	c.times.report(t, promised())
	c.compare(t, writers)
	w.Unmount(t)
}

// chaosLoad is what programs do meanwhile.
type chaosLoad struct {
	*world

	times *latencies
	end   time.Time
	mu    sync.Mutex
	pubs  [chaosWriters]published
}

const chaosWriters = 4

// run lets writers and readers work until the end.
func (c *chaosLoad) run(t *testing.T, seed uint64) []*chaosWriter {
	t.Helper()
	var wg sync.WaitGroup
	var writers []*chaosWriter
	for i := range chaosWriters {
		x := &chaosWriter{
			chaosLoad: c, t: t, n: i, rnd: rand.New(rand.NewPCG(seed, uint64(i))), files: map[string][]byte{},
			root: c.dir(t, "w"+string(rune('0'+i))), pub: c.dir(t, "pub"),
		}
		writers = append(writers, x)
		wg.Go(x.work)
	}
	far := rig.MountAt(t, t.TempDir(), c.Server.Env, append(c.Options, "--read-only")...)
	for i, dir := range []string{c.Dir, far.Dir} {
		r := &chaosReader{chaosLoad: c, t: t, rnd: rand.New(rand.NewPCG(seed, uint64(100+i))), pub: openDir(t, filepath.Join(dir, "private", "pub")), far: i == 1}
		wg.Go(r.work)
	}
	wg.Wait()
	far.Unmount(t)
	return writers
}

// dir makes and opens a directory: names in it cost one lookup.
func (c *chaosLoad) dir(t *testing.T, name string) *os.Root {
	t.Helper()
	path := c.path("private", name)
	within(t, time.Minute, "mkdir "+name, func() bool { return os.MkdirAll(path, 0o700) == nil })
	return openDir(t, path)
}

func openDir(t *testing.T, path string) *os.Root {
	t.Helper()
	var root *os.Root
	within(t, time.Minute, "open "+path, func() (ok bool) {
		var err error
		root, err = os.OpenRoot(path)
		return err == nil
	})
	t.Cleanup(func() { _ = root.Close() })
	return root
}

// compare compares the bucket, and a new mount without a cache, with what the programs made.
func (c *chaosLoad) compare(t *testing.T, writers []*chaosWriter) {
	t.Helper()
	want := map[string]string{"first": "proves the level"}
	for _, x := range writers {
		for name, data := range x.files {
			want[filepath.Join("w"+string(rune('0'+x.n)), name)] = string(data)
		}
		if v := c.pubs[x.n].done; v > 0 {
			want[filepath.Join("pub", pubName(x.n))] = string(pubData(x.n, v))
		}
		_ = x.root.Close() // directories hold the mount
		_ = x.pub.Close()
	}
	prefix := "private/" + rig.Identity + "/"
	keys := c.keys(t, prefix)
	for i := range keys {
		keys[i] = strings.TrimPrefix(keys[i], prefix)
	}
	slices.Sort(keys)
	requests := c.Proxy.Take()
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if i, ok := slices.BinarySearch(keys, name); ok {
			keys = slices.Delete(keys, i, i+1)
		} else {
			t.Errorf("%s is not in the bucket\n%s", name, storyOf(name, writers, requests))
		}
	}
	for _, name := range keys {
		t.Errorf("%s is in the bucket, but was removed or is nobody's\n%s", name, storyOf(name, writers, requests))
	}
	bytes := 0
	for name, data := range want {
		bytes += len(data)
		if got, _ := c.stored(t, prefix+name); got != data {
			t.Errorf("%s: %d bytes in the bucket, want %d, or others", name, len(got), len(data))
		}
	}
	c.remount(t)
	for name, data := range want {
		if got := read(t, c.path("private", name)); got != data {
			t.Errorf("%s: %d bytes in a new mount, want %d, or others", name, len(got), len(data))
		}
	}
	t.Logf("%d files of %d bytes are right", len(want), bytes)
}

// storyOf is what programs and requests did to a file.
func storyOf(name string, writers []*chaosWriter, requests []rig.Request) string {
	var lines []string
	for _, x := range writers {
		file, ok := strings.CutPrefix(name, fmt.Sprintf("w%d/", x.n))
		for _, line := range x.did {
			if ok && strings.Contains(line, file) {
				lines = append(lines, line)
			}
		}
	}
	for _, r := range requests {
		if strings.HasSuffix(r.Path, name) || strings.HasSuffix(r.Source, name) || r.Op() == "DeleteObjects" {
			lines = append(lines, r.String())
		}
	}
	return strings.Join(lines, "\n")
}
