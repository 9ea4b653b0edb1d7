package warm

import (
	"bytes"
	"errors"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/tests/rig"
)

// TestRemountReadsFromDisk: a large file and many small ones are read without a request by the next mount; random reads of it too.
func TestRemountReadsFromDisk(t *testing.T) {
	objects := smallFiles(200)
	objects["large"] = content("large", 256*mib)
	w := newWorld(t, objects)
	w.mount(t, rig.Identity)
	w.same(t, objects)
	gets, fetched := w.gets()
	before, _ := w.diskStats(t)
	began := time.Now()
	w.remount(t)
	t.Logf("cold: %d GETs of %d bytes; then a remount in %v; dropped %d", gets, fetched, time.Since(began), before.Dropped)
	w.same(t, objects)
	gets, fetched = w.gets()
	after, _ := w.diskStats(t)
	t.Logf("warm: %d GETs of %d bytes; %d hits, %d bytes read from the disk, %d bytes there", gets, fetched, after.Hits, after.Read, after.Bytes)
	// What a disk that was too slow has not taken is asked for again, nothing else. This one is fast enough.
	if limit := before.Dropped * 128 << 10; fetched > limit || before.Dropped == 0 && gets > 0 {
		t.Errorf("%d GETs of %d bytes after a remount; %d blocks were not kept", gets, fetched, before.Dropped)
	}
	if after.Bad != 0 {
		t.Errorf("%+v", after)
	}
	w.remount(t)
	large, err := os.Open(w.path("large"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = large.Close() }()
	rng := rand.New(rand.NewPCG(1, 1))
	buf := make([]byte, 4096)
	if err := unix.Fadvise(int(large.Fd()), 0, 0, unix.FADV_RANDOM); err != nil {
		t.Fatal(err)
	}
	const reads = 500
	for range reads {
		off := rng.Int64N(256*mib/4096) * 4096
		if _, err := large.ReadAt(buf, off); err != nil || !bytes.Equal(buf, objects["large"][off:off+4096]) {
			t.Fatalf("at %d: %v, wrong bytes", off, err)
		}
	}
	gets, _ = w.gets()
	random, _ := w.diskStats(t)
	t.Logf("%d random reads of 4 KiB: %d GETs, %.2f bytes from the disk for each", reads, gets, float64(random.Read)/(reads*4096))
	if gets > 0 || float64(random.Read) > 1.25*reads*4096 {
		t.Errorf("%d GETs, %d bytes from the disk", gets, random.Read)
	}
	if err := large.Close(); err != nil {
		t.Fatal(err)
	}
	w.Unmount(t)
}

// TestWrittenFilesAreWarm: small files that a mount has stored are read without a request by the next one.
func TestWrittenFilesAreWarm(t *testing.T) {
	objects := smallFiles(50)
	w := newWorld(t, nil)
	w.mount(t, rig.Identity)
	for name, data := range objects {
		if err := os.WriteFile(w.path(name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.remount(t)
	w.same(t, objects)
	if gets, _ := w.gets(); gets != 0 {
		t.Errorf("%d GETs", gets)
	}
	w.Unmount(t)
}

// TestKilledWhileItReads: kill -9 at the first, second, … GET of a mount that fills its cache; the next one reads right bytes, and less and
// less of them from the store.
func TestKilledWhileItReads(t *testing.T) {
	objects := smallFiles(40)
	objects["large"] = content("large", 48*mib)
	w := newWorld(t, objects)
	for round := range 8 {
		w.mount(t, rig.Identity)
		daemon := w.PID() // until Kill has waited for it, nobody else's
		kill := sync.OnceFunc(func() { _ = unix.Kill(daemon, unix.SIGKILL) })
		var seen atomic.Int32
		w.Proxy.SetJudge(func(r *http.Request) int {
			if r.Method == http.MethodGet && !r.URL.Query().Has("list-type") && int(seen.Add(1)) > 2+round*5 {
				kill()
			}
			return 0
		})
		for key, want := range objects {
			got, err := os.ReadFile(w.path(key))
			if err == nil && !bytes.Equal(got, want) {
				t.Fatalf("round %d: %s has wrong bytes", round, key)
			}
		}
		w.Proxy.SetJudge(nil)
		w.Kill()
	}
	w.mount(t, rig.Identity)
	w.same(t, objects)
	gets, fetched := w.gets()
	st, _ := w.diskStats(t)
	t.Logf("after 8 kills: %d GETs of %d bytes, %+v", gets, fetched, st)
	if st.Hits == 0 {
		t.Error("nothing has survived")
	}
	w.remount(t)
	w.same(t, objects)
	if gets, fetched := w.gets(); fetched > st.Dropped*128<<10 || st.Dropped == 0 && gets > 0 {
		t.Errorf("%d GETs of %d bytes in the end", gets, fetched)
	}
	w.Unmount(t)
}

// TestDamagedCache: with every 4,001st byte of every file of the cache flipped, half of each cut off, and rubbish in their place, all reads are
// right.
func TestDamagedCache(t *testing.T) {
	objects := smallFiles(60)
	objects["large"] = content("large", 40*mib)
	w := newWorld(t, objects)
	w.mount(t, rig.Identity)
	for _, damage := range []struct {
		name string
		do   func([]byte) []byte
	}{
		{"few flips", flipEvery(3_000_001)},
		{"many flips", flipEvery(4001)},
		{"cut", func(b []byte) []byte { return b[:len(b)/2] }},
		{"rubbish", func(b []byte) []byte { return content("rubbish", len(b)) }},
		{"empty", func([]byte) []byte { return nil }},
	} {
		w.same(t, objects)
		w.Unmount(t)
		if len(w.packs(t)) < 5 {
			t.Fatalf("files of the cache: %q", w.packs(t))
		}
		for _, name := range w.packs(t) {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, damage.do(b), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		w.mount(t, rig.Identity)
		w.same(t, objects)
		gets, fetched := w.gets()
		st, none := w.diskStats(t)
		t.Logf("%s: %d GETs of %d bytes, %d hits, %d bad", damage.name, gets, fetched, st.Hits, st.Bad)
		if gets == 0 || none != "" {
			t.Errorf("%s: %d GETs, %s", damage.name, gets, none)
		}
	}
	w.Unmount(t)
}

func flipEvery(k int) func([]byte) []byte {
	return func(b []byte) []byte {
		for at := k / 2; at < len(b); at += k {
			b[at] ^= 0x20
		}
		return b
	}
}

// TestIdentitiesShareNothing: what one identity has read, the other asks for itself; each finds its own again.
func TestIdentitiesShareNothing(t *testing.T) {
	const other = "us-east-1:99999999-2222-3333-4444-555555555555"
	objects := smallFiles(20)
	w := newWorld(t, objects)
	for i, tt := range []struct {
		identity string
		gets     int
	}{{rig.Identity, 20}, {other, 20}, {rig.Identity, 0}, {other, 0}} {
		w.mount(t, tt.identity)
		w.same(t, objects)
		if gets, _ := w.gets(); gets != tt.gets {
			t.Errorf("mount %d: %d GETs, want %d", i, gets, tt.gets)
		}
		w.Unmount(t)
	}
	if dirs, err := filepath.Glob(filepath.Join(w.Top, "cache", "*", "blocks")); err != nil || len(dirs) != 2 {
		t.Errorf("%q, %v", dirs, err)
	}
	for _, name := range w.packs(t) {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 || strings.Contains(name, "small") {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

// TestSecondMountHasNoDisk: two mounts of one bucket and identity that share a cache directory: the second goes on without, and says so.
func TestSecondMountHasNoDisk(t *testing.T) {
	objects := smallFiles(5)
	w := newWorld(t, objects)
	w.mount(t, rig.Identity)
	second := &world{w.Beside(t, "--endpoint", w.Proxy.Endpoint, "--cache-size", "1GiB")} // the same cache is that of the same bucket
	second.mount(t, rig.Identity, "--cache-dir", filepath.Join(w.Top, "cache"))
	second.same(t, objects)
	if _, none := second.diskStats(t); !strings.HasPrefix(none, "another mount of this bucket and identity uses ") {
		t.Errorf("the second says %q", none)
	}
	if out, _, _ := second.Run(t, "status", second.Dir); !strings.Contains(out, "disk cache   none: another mount") {
		t.Errorf("status does not tell:\n%s", out)
	}
	second.Unmount(t)
	w.same(t, objects)
	w.remount(t)
	w.same(t, objects)
	if gets, _ := w.gets(); gets != 0 {
		t.Errorf("%d GETs: the first has lost its cache", gets)
	}
	w.mount(t, rig.Identity, "--cache-size", "0")
	if _, none := w.diskStats(t); none != "--cache-size 0" {
		t.Errorf("without a size: %q", none)
	}
	if left := w.packs(t); len(left) != 1 || filepath.Base(left[0]) != "lock" {
		t.Errorf("%q are left", left)
	}
	w.same(t, objects)
	w.Unmount(t)
}

// TestCacheDiskIsFull: a cache that is told to take more than its disk has reads right, takes what is there, and says it once.
func TestCacheDiskIsFull(t *testing.T) {
	objects := map[string][]byte{}
	maps.Copy(objects, smallFiles(20))
	objects["large"] = content("large", 40*mib)
	w := newWorld(t, objects, "--cache-size", "64MiB", "--cache-keep-free", "0")
	cache := filepath.Join(w.Top, "cache")
	if err := errors.Join(os.Mkdir(cache, 0o700), unix.Mount("small", cache, "tmpfs", 0, "size=24m")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(cache, unix.MNT_DETACH) })
	w.mount(t, rig.Identity, "--cache-size", "auto")
	if _, none := w.diskStats(t); !strings.HasPrefix(none, "little is free on its disk") {
		t.Errorf("a cache on 24 MiB that nobody has asked for: %q", none)
	}
	w.same(t, objects)
	w.Unmount(t)
	w.mount(t, rig.Identity)
	w.same(t, objects)
	w.same(t, map[string][]byte{"large": objects["large"]})
	w.remount(t)
	f, err := os.Open(w.path("large"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	const tail = 36 * mib // the last that went there, in whatever order the small files came
	got := make([]byte, 4*mib)
	if _, err := f.ReadAt(got, tail); err != nil || !bytes.Equal(got, objects["large"][tail:]) {
		t.Errorf("the end of large: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	st, _ := w.diskStats(t)
	t.Logf("%+v", st)
	if gets, fetched := w.gets(); st.Hits == 0 || st.Bytes > 24*mib || fetched > 2*mib {
		t.Errorf("%d GETs of %d bytes for what was read last, %+v", gets, fetched, st)
	}
	if n := strings.Count(w.Log(), "keeps nothing new"); n > 2 {
		t.Errorf("%d lines in the log:\n%s", n, w.Log())
	}
	w.Unmount(t)
}

// TestDefaultCacheSize: unasked for there is a cache, of at most 10 GiB, that leaves room to others.
func TestDefaultCacheSize(t *testing.T) {
	objects := smallFiles(5)
	w := newWorld(t, objects)
	var st unix.Statfs_t
	if err := unix.Statfs(w.Top, &st); err != nil {
		t.Fatal(err)
	}
	tenth := int64(st.Bavail) * st.Bsize / 10
	w.mount(t, rig.Identity, "--cache-size", "auto")
	w.same(t, objects)
	got, none := w.diskStats(t)
	t.Logf("%d bytes; a tenth of what is free is %d", got.Size, tenth)
	if tenth < 128*mib { // hardly room for the tests themselves
		t.Logf("none: %s", none)
	} else if got.Size > 10<<30 || got.Size < min(tenth, 10<<30)/10*9 {
		t.Errorf("%d bytes of a tenth of %d (%s)", got.Size, tenth, none)
	}
	w.Unmount(t)
}
