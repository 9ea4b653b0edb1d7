package uploader_test

import "testing"

// An empty file that was closed is there after a crash, although the kernel has
// not yet told the last close (RELEASE comes in its own time).
func TestCrashBetweenCloseAndReleaseKeepsAnEmptyFile(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		r.put(key("old"), "old")
		r.put(key("source"), "source")
		r.drain()
		for _, name := range []string{"new", "old", "source"} {
			check(t, r.create(key(name)).Flush(t.Context()))
		}
		r.rename(key("source"), key("moved"))
		r.crash()
		r.drain()
		r.wantBucket(map[string]string{key("new"): "", key("old"): "", key("moved"): ""})
	})
}

// What a shell begins to write after such a flush never replaces the good object half.
func TestCrashInTheMiddleOfARedirectionKeepsTheOldObject(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		r.put(key("old"), "old")
		r.drain()
		f := r.create(key("old"))
		check(t, f.Flush(t.Context()))
		r.writeAt(f, "half", 0)
		r.crash()
		r.drain()
		r.wantBucket(map[string]string{key("old"): "old"})
	})
}
