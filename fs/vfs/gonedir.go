package vfs

import "github.com/s3levelfs/s3levelfs/fs/vfs/listing"

// A directory that was removed or renamed here has keys below it in the store for
// a moment longer: their deletes are batched. Listings that begin meanwhile still
// show it. FS.ended has its prefix until those deletes are done, and hides it.

// maxEnded is how many are kept before those that are done are dropped.
const maxEnded = 1000

// dirGone notes that a directory was removed or renamed away here.
func (v *FS) dirGone(dir string) {
	v.listing.DirRemoved(dir)
	if !v.up.Has(dir) {
		return
	}
	v.mu.Lock()
	v.ended[dir] = struct{}{}
	var all []string
	if len(v.ended) > maxEnded {
		for d := range v.ended {
			all = append(all, d)
		}
	}
	v.mu.Unlock()
	for _, d := range all {
		v.checkGone(d)
	}
}

// checkGone ends the watch over a directory whose deletes are done, or in which
// something lives again. It reports whether it did so now: what a listing said of
// the directory is from before then.
func (v *FS) checkGone(dir string) bool {
	v.mu.Lock()
	_, watched := v.ended[dir]
	v.mu.Unlock()
	if !watched || v.up.Has(dir) && !v.up.Under(dir) {
		return false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.ended, dir)
	return true
}

// isGone: what a listing shows below dir is about to be removed.
func (v *FS) isGone(dir string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	_, watched := v.ended[dir]
	return watched
}

// anyEnded runs checkGone for the directories of a listing.
func (v *FS) anyEnded(dir string, entries []listing.Entry) bool {
	v.mu.Lock()
	watching := len(v.ended) > 0
	v.mu.Unlock()
	any := false
	for i := range entries {
		if watching && entries[i].Dir && v.checkGone(dir+entries[i].Name+"/") {
			any = true
		}
	}
	return any
}

// hasDir: one of the entries is a directory.
func hasDir(entries []listing.Entry) bool {
	for i := range entries {
		if entries[i].Dir {
			return true
		}
	}
	return false
}
