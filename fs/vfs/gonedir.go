package vfs

import (
	"context"
	"slices"

	"github.com/s3levelfs/s3levelfs/fs/vfs/listing"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// A directory that was removed or renamed here has keys below it in the store for
// a moment longer: their deletes are batched. Listings that begin meanwhile still
// show it. FS.ended has its prefix: false until those deletes are done, which
// hides the directory; true afterwards, so that the events of the deletes, which
// may come later still, do not make the listing keep it. Whatever is made or removed in
// the directory again ends the entry.

// maxEnded is how many entries are kept before those that are done are dropped.
const maxEnded = 1000

// dirGone notes that a directory was removed or renamed away here.
func (v *FS) dirGone(dir string) {
	v.listing.DirRemoved(dir)
	done := !v.up.Has(dir)
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.ended) >= maxEnded {
		for d, done := range v.ended {
			if done {
				delete(v.ended, d)
			}
		}
	}
	v.ended[dir] = done
}

// alive notes that something is made or removed in a directory: it is there.
func (v *FS) alive(dir string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for d := dir; len(v.ended) > 0 && d != ""; d = parentOf(d) {
		delete(v.ended, d)
	}
}

// inGone tells whether a key is in a directory that has been removed here.
func (v *FS) inGone(key string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for d := parentOf(key); len(v.ended) > 0 && d != ""; d = parentOf(d) {
		if _, ended := v.ended[d]; ended {
			return true
		}
	}
	return false
}

// checkGone looks whether the deletes below a removed directory are done, or
// something lives in it again. It reports whether that is so since now: what a listing
// said of the directory is from before then.
func (v *FS) checkGone(dir string) bool {
	if !v.isGone(dir) {
		return false
	}
	under, has := v.up.Under(dir), v.up.Has(dir)
	if has && !under {
		return false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if under {
		delete(v.ended, dir)
	} else if _, ended := v.ended[dir]; ended {
		v.ended[dir] = true
	}
	return true
}

// isGone: what a listing shows below dir is about to be removed.
func (v *FS) isGone(dir string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	done, ended := v.ended[dir]
	return ended && !done
}

// hidden: a directory that a listing shows has been removed here, in this mount or, as the
// tombstone of its marker tells, in an earlier one.
func (v *FS) hidden(info *uploader.Info, dir string) bool {
	return v.isGone(dir) || info != nil && info.DirGone && !v.up.Under(dir)
}

// fileGone: the overlay has a tombstone of the object.
func fileGone(info *uploader.Info) bool { return info != nil && info.FileGone }

// dropEnded runs checkGone for the directories of a listing, and asks anew for those of which it is from before.
func (v *FS) dropEnded(ctx context.Context, dir string, entries []listing.Entry) ([]listing.Entry, error) {
	v.mu.Lock()
	watching := len(v.ended) > 0
	v.mu.Unlock()
	if !watching {
		return entries, nil
	}
	var failed error
	entries = slices.DeleteFunc(entries, func(e listing.Entry) bool {
		if !e.Dir || failed != nil || !v.checkGone(dir+e.Name+"/") {
			return false
		}
		v.listing.Forget(dir)
		now, _, err := v.listing.Lookup(ctx, dir, e.Name)
		failed = err
		return !hasDir(now)
	})
	return entries, failed
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
