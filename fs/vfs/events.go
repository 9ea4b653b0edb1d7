package vfs

import (
	"path"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// now is the clock; synctest replaces it.
func (v *FS) now() time.Time { return time.Now() }

// Event takes in what the uploader did or found; it is uploader.Config.Events.
func (v *FS) Event(e uploader.Event) {
	switch e.Kind {
	case uploader.Committed:
		v.committed(e)
	case uploader.Removed:
		v.removed(e)
	case uploader.Reappeared, uploader.ForeignGone:
		v.unsure(e.Key)
	case uploader.Conflict:
		v.conflicts.note(e.Key, e.To)
		if !e.Theirs {
			v.conflict(e)
		}
	case uploader.Failed, uploader.BaseLost:
		v.tell(e.Key, false)
	case uploader.LevelDenied, uploader.LevelProved, uploader.Kept:
	}
}

// committed: key is in the store with our bytes. Indexes know it before
// anybody could ask the store, and handles and inodes go on with the new version.
func (v *FS) committed(e uploader.Event) {
	obj := store.Object{Key: e.Key, ETag: e.ETag, Size: e.Size, LastModified: e.LastModified, Headers: &e.Headers}
	v.attrs.Put(obj)
	if v.removing(e.Key) || v.inGone(e.Key) {
		return // removed or renamed while it was sent: the name is gone
	}
	if obj.LastModified.IsZero() {
		obj.LastModified = v.now()
	}
	listed := obj
	listed.Headers = nil
	if !strings.HasSuffix(e.Key, "/") {
		// A date of our own making would be taken for the store's by the attribute index,
		// and a later listing's for another version.
		listed.LastModified = e.LastModified
	}
	if !strings.HasSuffix(e.Key, "/") {
		// Before the listing shows the version: it would be taken for somebody else's.
		adopt := func() { v.adopt(e.Op, listed) }
		if !v.crossings.postpone(e.Key, e.Op, adopt) {
			adopt()
		}
	}
	v.listing.Stored(listed)
	v.rememberBlind(obj)
	if strings.HasSuffix(e.Key, "/") {
		v.settleDir(e.Key, obj)
	}
}

// adopt tells the tables which version a file of ours has become, by the uploader's operation op. A file that has got the
// name since is another one.
func (v *FS) adopt(op uint64, obj store.Object) {
	version := versionOf(&obj)
	v.inodes.adopt(obj.Key, version, op)
	v.mu.Lock()
	of := v.open[obj.Key]
	if of != nil && of.born >= op {
		of = nil
	}
	if of != nil {
		of.version = version
	}
	v.mu.Unlock()
	if of != nil {
		of.arrived(obj)
	}
}

// rememberBlind keeps what no listing will ever tell.
func (v *FS) rememberBlind(obj store.Object) {
	path, ok := v.policy.PathOf(obj.Key)
	if !ok {
		return
	}
	if t, err := v.policy.Resolve(path); err == nil && !t.Grants.Has(levels.List) {
		v.blind.Add(obj.Key, obj)
	}
}

// removed: key is gone from the store by our doing.
func (v *FS) removed(e uploader.Event) {
	v.attrs.Forget(e.Key)
	v.blind.Remove(e.Key)
	v.conflicts.end(e.Key)
	if dir, isDir := strings.CutSuffix(e.Key, "/"); isDir {
		// Only rmdir and a rename of the directory remove a marker.
		if info, ok := v.up.Lookup(dir); !ok || info.Kind != uploader.KindDir {
			v.listing.DirRemoved(e.Key)
		}
		return
	}
	v.mu.Lock()
	_, leftover := v.leftover[e.Key]
	delete(v.leftover, e.Key)
	v.mu.Unlock()
	switch {
	case leftover:
		// Nobody knows any more whether the file or its whole directory was removed:
		// the store decides what is left.
		for dir := parentOf(e.Key); dir != ""; dir = parentOf(dir) {
			v.listing.Forget(dir)
		}
	case !v.inGone(e.Key):
		v.listing.Removed(e.Key)
	}
}

// unsure: what is at key is not what this mount thought.
func (v *FS) unsure(key string) {
	v.attrs.Forget(key)
	v.listing.Forget(parentOf(key))
	v.tell(key, true)
}

// conflict: ours went to another name, and somebody else's is at key.
func (v *FS) conflict(e uploader.Event) {
	v.log.Warn("file was changed by somebody else meanwhile: both are kept",
		zap.String("key", e.Key), zap.String("ours", e.To))
	if e.To != "" {
		v.renamed(e.Key, e.To, 0)
		v.tell(e.To, false)
	}
	v.unsure(e.Key)
}

// foreign: a newer version of the name than the kernel knows was found outside of
// a lookup.
func (v *FS) foreign(path string, n *node) {
	v.tellPath(path, Invalidation{Deleted: n == nil})
}

// Corrupted has the kernel drop the bytes of key: what was delivered of them is wrong (cache.Config.Corrupted).
func (v *FS) Corrupted(key, _ string) { v.tell(key, true) }

// tell has the kernel drop what it knows of key.
func (v *FS) tell(key string, content bool) {
	p, ok := v.policy.PathOf(key)
	if !ok {
		return
	}
	ino := v.inodes.live(key)
	v.tellPath(p, Invalidation{Ino: ino, Content: content})
}

func (v *FS) tellPath(p string, i Invalidation) {
	i.Parent, i.Name = path.Split(p)
	i.Parent = strings.TrimSuffix(i.Parent, "/")
	v.notices.post(i)
}

// parentOf is the prefix whose listing shows key.
func parentOf(key string) string {
	key = strings.TrimSuffix(key, "/")
	return key[:strings.LastIndexByte(key, '/')+1]
}
