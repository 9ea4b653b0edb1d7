package churn

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/tests/rig"
)

// TestReplacedWhileRead: an object is replaced while its file is read and mapped. Every read is of one version or ESTALE, also of the
// map; a fresh open gets the new one at once, in another process too, while the first goes on with the old one. S3LEVELFS_REPLACED rounds.
func TestReplacedWhileRead(t *testing.T) {
	n := rounds(t, "S3LEVELFS_REPLACED", 80)
	w := newWorld(t, "--metadata-ttl", "0s", "--memory", "16MiB", "--cache-size", "0") // the old version of a large file is not all there
	sizes := []int{16 * kib, 300 * kib, 3 * mib, 12 * mib}
	r := startReader(t)
	var all tally
	began := time.Now()
	for i := range n {
		w.replaceOnce(t, r, fmt.Sprintf("f%d", i%7), sizes[i%len(sizes)], uint32(2*i+1), &all)
		if t.Failed() {
			t.Fatalf("round %d", i)
		}
	}
	t.Logf("%d rounds in %v: %s", n, time.Since(began).Round(time.Millisecond), &all)
	if all.whole == 0 || all.stale == 0 {
		t.Error("one of the outcomes has never come: the rounds prove nothing of it")
	}
	r.end(t)
	w.Unmount(t)
}

// tally counts what became of readers that were there before.
type tally struct{ whole, stale, repinned, mapped, gone int }

func (a *tally) String() string {
	return fmt.Sprintf("open readers: %d read the old version to its end, %d got ESTALE; unread ones: %d went on with the new version; maps: %d pages read, %d gone",
		a.whole, a.stale, a.repinned, a.mapped, a.gone)
}

// replaceOnce is a round: version v is replaced by v+1 under three who have it open.
func (w *world) replaceOnce(t *testing.T, r *reader, name string, size int, v uint32, all *tally) {
	must(t, w.put(t.Context(), name, version(v, size)))
	path := w.path(name)
	const begun = 8 * kib
	if got := r.ask(t, order{Open: path, Begin: begun}); got.Wrong != "" || got.Errno != 0 || got.Version != v {
		t.Errorf("a fresh open reads version %d, want %d (%v %s)", got.Version, v, got.Errno, got.Wrong)
	}
	unread := open(t, path)
	defer unread.Close()

	newSize := size/2/8*8 + 8*int(v%5)*kib
	var wg sync.WaitGroup
	wg.Go(func() { // beside the reads
		if err := w.put(t.Context(), name, version(v+1, newSize)); err != nil {
			t.Error(err)
		}
	})
	all.read(t, r, begun, v, size)
	wg.Wait()
	w.readElsewhere(t, path, v+1, newSize)
	all.read(t, r, 0, v, size)
	all.look(t, r, v)
	fresh := open(t, path)
	defer fresh.Close()
	if got, end, err, wrong := readOn(fresh, 0); err != nil || wrong != nil || got != v+1 || end != newSize {
		t.Errorf("a fresh open: version %d, %d bytes, want %d, %d (%v, %v)", got, end, v+1, newSize, err, wrong)
	}
	switch got, end, err, wrong := readOn(unread, 0); {
	case errors.Is(err, unix.ESTALE):
	case err != nil || wrong != nil:
		t.Errorf("a reader that had not begun: %v, %v", err, wrong)
	case got == v && end == size:
	case got == v+1 && end == newSize:
		all.repinned++
	default:
		t.Errorf("a reader that had not begun: version %d, %d bytes", got, end)
	}
}

// read reads on what was begun as version v of a size.
func (a *tally) read(t *testing.T, r *reader, off int, v uint32, size int) {
	t.Helper()
	switch got := r.ask(t, order{Read: true, Off: off}); {
	case got.Wrong != "":
		t.Errorf("an open file: %s", got.Wrong)
	case got.Errno != 0 && got.Errno != unix.ESTALE:
		t.Errorf("an open file: %v, want ESTALE or the old version", got.Errno)
	case got.End > off && got.Version != v:
		t.Errorf("an open file of version %d reads version %d at %d", v, got.Version, off)
	case got.Errno != 0:
		a.stale++
	case got.End != size:
		t.Errorf("an open file of %d bytes ends at %d", size, got.End)
	default:
		a.whole++
	}
}

// look reads pages of a map: of the version, or, as the kernel tells of an error in a map, SIGBUS.
func (a *tally) look(t *testing.T, r *reader, v uint32) {
	t.Helper()
	seen := r.ask(t, order{Look: true})
	a.mapped += seen.Pages
	a.gone += seen.Gone
	if seen.Wrong != "" || seen.Pages > 0 && seen.Version != v {
		t.Errorf("a map of version %d has version %d (%s)", v, seen.Version, seen.Wrong)
	}
}

// readElsewhere has a process of its own read the file.
func (w *world) readElsewhere(t *testing.T, path string, v uint32, size int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), rig.CommandTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, "cat", path).Output()
	if err != nil || len(out) != size {
		t.Errorf("another process: %d bytes, want %d (%v)", len(out), size, err)
		return
	}
	if got, err := judge(out, 0); err != nil || got != v {
		t.Errorf("another process reads version %d, want %d (%v)", got, v, err)
	}
}

func open(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	return f
}
