package faults

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/s3levelfs/s3levelfs/tests/rig"
)

// manyFiles is how many files are made: 10,000 in CI; `make soak` makes it 100,000.
func manyFiles(t *testing.T) int {
	text := os.Getenv("S3LEVELFS_FILES")
	if text == "" {
		return 10_000
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestManySmallFiles: files of 1 KiB, made in one directory as fast as a shell can. The daemon's memory stays in its bounds,
// status answers meanwhile, all arrive.
func TestManySmallFiles(t *testing.T) {
	const statusWithin = time.Second
	n, memory := manyFiles(t), int64(64*mib)
	inFull := n >= 100_000 // and on a machine that does nothing else
	if inFull {
		memory = 256 * mib // the default; what the kernel knows of a name takes 2 KiB here
	}
	w := newWorld(t, "--memory", fmt.Sprint(memory))
	write(t, w.path("private", "first"), "proves the level")
	syncAll(t, w)
	dir := w.path("private", "many")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	times := newLatencies()
	done := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for end := false; !end; {
			_ = times.of("status", func() error { w.status(t); return nil })
			select {
			case <-done:
				end = true
			case <-time.After(statusWithin):
			}
		}
	}()
	start := time.Now()
	marks := filepath.Join(w.top, "marks")
	script := fmt.Sprintf(`cd '%s'; i=0; while [ $i -lt %d ]; do
		printf '%%01024d' $i > f$i
		i=$((i+1)); [ $((i %% %d)) != 0 ] || date +%%s.%%N >> '%s'
	done`, dir, n, n/10, marks)
	if out, err := shell(t, 20*time.Minute, script); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	made := time.Since(start)
	syncAll(t, w)
	took := time.Since(start)
	close(done)
	<-watched
	tenths := tenthsOf(t, start, read(t, marks))
	rate := func(d time.Duration, n int) string { return fmt.Sprintf("%.0f files/s", float64(n)/d.Seconds()) }
	t.Logf("%d files made in %v (%s; first tenth %s, last %s), in the bucket after %v", n, made.Round(time.Millisecond),
		rate(made, n), rate(tenths[0], n/10), rate(tenths[9], n/10), took.Round(time.Millisecond))
	peak := w.peakMemory(t)
	t.Logf("the daemon's memory was at most %s, --memory is %s", humanize.IBytes(uint64(peak)), humanize.IBytes(uint64(memory)))
	if peak > memory+64*mib {
		t.Errorf("the daemon needs %s, more than --memory + 64 MiB", humanize.IBytes(uint64(peak)))
	}
	promised := map[string]time.Duration{}
	if inFull {
		promised["status"] = statusWithin
	}
	times.report(t, promised)
	w.arrived(t, n)
	w.Unmount(t)
}

// tenthsOf is how long each tenth of the work took.
func tenthsOf(t *testing.T, start time.Time, marks string) (tenths []time.Duration) {
	t.Helper()
	for line := range strings.Lines(marks) {
		sec, err := strconv.ParseFloat(strings.TrimSpace(line), 64)
		if err != nil {
			t.Fatal(err)
		}
		at := time.UnixMicro(int64(sec * 1e6))
		tenths = append(tenths, at.Sub(start))
		start = at
	}
	if len(tenths) != 10 {
		t.Fatalf("%d tenths", len(tenths))
	}
	return tenths
}

// peakMemory is the most that the daemon had resident, in bytes.
func (w *world) peakMemory(t *testing.T) int64 {
	t.Helper()
	for line := range strings.Lines(read(t, fmt.Sprintf("/proc/%d/status", w.PID()))) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kib); n == 1 {
			return kib << 10
		}
	}
	t.Fatal("no VmHWM")
	return 0
}

// arrived looks at each of n files on the server's disk.
func (w *world) arrived(t *testing.T, n int) {
	t.Helper()
	dir := filepath.Join(w.server.Data, rig.Bucket, "private", rig.Identity, "many")
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != n {
		t.Errorf("%d files arrived, want %d", len(entries), n)
	}
	for i := range n {
		got, err := os.ReadFile(filepath.Join(dir, fmt.Sprint("f", i)))
		if want := fmt.Appendf(nil, "%01024d", i); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("f%d has %d bytes, want %d, or others (%v)", i, len(got), len(want), err)
		}
	}
	t.Logf("%d files arrived as they were written", len(entries))
}
