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

// filesADir is how many go into one directory. In much larger ones each new name costs the embedded server a look at all of
// them, see the known gaps in docs/UPLOADER.md.
const filesADir = 10_000

// TestManySmallFiles: files of 1 KiB, made as fast as a shell can. The daemon's memory stays in its bounds, status answers
// meanwhile, all arrive.
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
	marks := filepath.Join(w.Top, "marks")
	script := fmt.Sprintf(`cd '%s'; i=0; while [ $i -lt %d ]; do
		[ $((i %% %d)) != 0 ] || { d=d$i; mkdir $d; }
		printf '%%01024d' $i > $d/f$i
		i=$((i+1)); [ $((i %% %d)) != 0 ] || { set -- $(cat /proc/%d/stat); echo $(date +%%s.%%N) ${14} ${15}; } >> '%s'
	done`, dir, n, filesADir, n/10, w.PID(), marks)
	if out, err := shell(t, time.Hour, script); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	made := time.Since(start)
	syncAll(t, w)
	took := time.Since(start)
	close(done)
	<-watched
	tenths := tenthsOf(t, start, read(t, marks))
	first, last := tenths[0], tenths[9]
	t.Logf("%d files made in %v, in the bucket after %v", n, made.Round(time.Millisecond), took.Round(time.Millisecond))
	for _, x := range []tenth{first, last} {
		t.Logf("tenth %d: %.0f files/s; %v of the daemon's processor time a file, uploads among it", x.n, float64(n/10)/x.took.Seconds(), x.cpu/time.Duration(n/10))
	}
	if last.cpu > 3*first.cpu+time.Second { // the clock counts hundredths; the machine may be busy with other things, this is not
		t.Errorf("the last tenth cost %v of processor time, the first %v: files cost more the more there are", last.cpu, first.cpu)
	}
	peak := peakMemory(t, w.Mount)
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

// tenth is how long a tenth of the work took, and the daemon's processor time meanwhile.
type tenth struct {
	n         int
	took, cpu time.Duration
}

// tenthsOf reads lines of "time, user and system hundredths of the daemon so far".
func tenthsOf(t *testing.T, start time.Time, marks string) (tenths []tenth) {
	t.Helper()
	var used int64
	for line := range strings.Lines(marks) {
		var sec float64
		var user, system int64
		if _, err := fmt.Sscan(line, &sec, &user, &system); err != nil {
			t.Fatal(err)
		}
		at := time.UnixMicro(int64(sec * 1e6))
		const tick = 10 * time.Millisecond
		tenths = append(tenths, tenth{len(tenths) + 1, at.Sub(start), time.Duration(user+system-used) * tick})
		start, used = at, user+system
	}
	if len(tenths) != 10 {
		t.Fatalf("%d tenths", len(tenths))
	}
	return tenths
}

// peakMemory is the most that the daemon had resident, in bytes.
func peakMemory(t *testing.T, m *rig.Mount) int64 {
	t.Helper()
	_, peak := m.Memory(t)
	return peak
}

// arrived looks at each of n files on the server's disk.
func (w *world) arrived(t *testing.T, n int) {
	t.Helper()
	dir := filepath.Join(w.Server.Data, rig.Bucket, "private", rig.Identity, "many")
	arrived := 0
	for i := 0; i < n; i += filesADir {
		entries, err := os.ReadDir(filepath.Join(dir, fmt.Sprint("d", i)))
		if err != nil {
			t.Fatal(err)
		}
		arrived += len(entries)
	}
	if arrived != n {
		t.Errorf("%d files arrived, want %d", arrived, n)
	}
	for i := range n {
		got, err := os.ReadFile(filepath.Join(dir, fmt.Sprint("d", i/filesADir*filesADir), fmt.Sprint("f", i)))
		if want := fmt.Appendf(nil, "%01024d", i); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("f%d has %d bytes, want %d, or others (%v)", i, len(got), len(want), err)
		}
	}
	t.Logf("%d files arrived as they were written", arrived)
}
