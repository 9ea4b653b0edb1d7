package vfs

import (
	"slices"
	"strings"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// share gives the open file of a node, a new one where none has its version, and
// counts a handle. An open file of another version, which no local write
// has touched, loses its name to the new one. local is a read handle on the uploader's file where
// the node's bytes are there, and passes into the open file's hands: none can be found, not even for
// a moment, that does not know where its bytes are. It gives nil, and local is the caller's, where this mount has
// changed what the name stands for since it was found: it has to be found again.
func (v *FS) share(n *node, local *uploader.File) *openFile {
	of, made := v.enter(n, local)
	if local != nil && of != nil && !made {
		of.attach(local)
	}
	return of
}

// enter is share under the lock of the tables; made: the open file is new, and has local.
func (v *FS) enter(n *node, local *uploader.File) (of *openFile, made bool) {
	version := ""
	switch {
	case n.own && settled(*n.info):
		version = versionOf(&store.Object{ETag: n.info.Base.ETag, Size: n.info.Base.Size, LastModified: n.info.Base.ModTime})
	case n.stored():
		version = versionOf(n.obj)
	}
	of = v.opened(n.target.Key)
	same := of != nil && local != nil && of.source().local == local // whatever the news of its commits have told so far
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.crossings.since(n.ticket, n.target.Key) { // number and bytes may be of two files, and others would find them
		return nil, false
	}
	ino, gen, stale := v.number(n, false)
	if stale && local == nil {
		return nil, false
	}
	same = same && of == v.open[n.target.Key]
	of = v.open[n.target.Key]
	if of != nil && !same && of.version != "" && version != "" && of.version != version {
		v.unname(of)
		of = nil
	}
	if made = of == nil; made {
		of = &openFile{ino: ino, gen: gen, key: n.target.Key, version: version, named: true, local: local, born: n.born}
		if n.obj != nil {
			of.obj, of.carried = *n.obj, n.moving()
		}
		v.open[of.key] = of
		of.served = v.inodes.hold(ino, gen)
	}
	if version == "" {
		of.version = ""
	}
	of.handles++
	return of, made
}

// unname takes the name from an open file; its number finds it from now on.
// Called with FS.mu held.
func (v *FS) unname(of *openFile) {
	if !of.named {
		return
	}
	of.named = false
	delete(v.open, of.key)
	v.gone[of.ino] = append(v.gone[of.ino], of)
}

// leave takes a handle away; the last one ends the open file.
func (v *FS) leave(of *openFile) {
	v.mu.Lock()
	of.handles--
	last := of.handles == 0
	if last {
		if of.named {
			delete(v.open, of.key)
		} else {
			v.ungone(of)
		}
	}
	v.mu.Unlock()
	if last {
		of.end()
		v.inodes.drop(of.ino)
	}
}

// ungone drops an open file from the table of nameless ones. Called with FS.mu held.
func (v *FS) ungone(of *openFile) {
	rest := slices.DeleteFunc(v.gone[of.ino], func(o *openFile) bool { return o == of })
	if len(rest) == 0 {
		delete(v.gone, of.ino)
		return
	}
	v.gone[of.ino] = rest
}

// opened gives the open file that has the name key now, nil if none.
func (v *FS) opened(key string) *openFile {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.open[key]
}

// readers lists the open files whose bytes may be those of the object at key:
// the one of that name, and nameless ones of older days.
func (v *FS) readers(key string) []*openFile {
	v.mu.Lock()
	defer v.mu.Unlock()
	var out []*openFile
	if of := v.open[key]; of != nil {
		out = append(out, of)
	}
	for _, list := range v.gone {
		for _, of := range list {
			if of.key == key {
				out = append(out, of)
			}
		}
	}
	return out
}

// unlinked takes the name key from its inode and its open file.
func (v *FS) unlinked(key string) {
	v.mu.Lock()
	if of := v.open[key]; of != nil {
		v.unname(of)
	}
	v.mu.Unlock()
	v.inodes.unname(key)
}

// renamed moves open files and inodes from one name to another; with directory
// keys, which end in a slash, all below. What had the new name loses it. born is the uploader's last operation
// before.
func (v *FS) renamed(from, to string, born uint64) {
	v.mu.Lock()
	if old := v.open[to]; old != nil {
		v.unname(old)
	}
	var moved []*openFile
	for key, of := range v.open {
		if key == from || strings.HasSuffix(from, "/") && strings.HasPrefix(key, from) {
			moved = append(moved, of)
		}
	}
	for _, of := range moved {
		delete(v.open, of.key)
		of.key, of.born = to+of.key[len(from):], max(of.born, born)
		v.open[of.key] = of
	}
	v.mu.Unlock()
	for _, of := range moved {
		of.carry(v.keyOf(of), nil)
	}
	v.inodes.rename(from, to, born)
}

// localize makes every handle of a key see the uploader's file, which somebody
// has begun to write.
func (v *FS) localize(of *openFile, key string) {
	f := v.up.File(key)
	if f == nil {
		return
	}
	if f.State() != uploader.StateClean {
		v.mu.Lock()
		of.version = ""
		v.mu.Unlock()
	}
	of.attach(f)
}

// keyOf gives the name that an open file has now, "" if none.
func (v *FS) keyOf(of *openFile) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !of.named {
		return ""
	}
	return of.key
}
