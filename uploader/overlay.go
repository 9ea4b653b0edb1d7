package uploader

import "strings"

// state is where an operation stands. Called with mu held.
func (o *op) state() State {
	switch {
	case o.kind == opPut && !o.is(flagSealed) && o.err == nil: // an error: it could not be sealed
		return StateOpen
	case o.unsure && !o.running:
		return StateUnsure
	case o.running:
		return StateSending
	case o.rounds > 0:
		return StateFailed
	}
	return StateQueued
}

// Lookup tells what is pending at a key (without the slash of a marker; what ends in one is a directory whose name is empty): a file, a
// directory, or its absence; ok is false when the overlay has nothing to say and the store decides.
// Files win over directories of the same name; KindDir also stands for
// directories implied by what exists below.
func (u *Uploader) Lookup(key string) (i Info, ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.lookup(key)
}

func (u *Uploader) lookup(key string) (Info, bool) {
	file, hasFile := u.lookupFile(key)
	if isMarker(key) { // what is pending there is of the directory around
		hasFile = false
	}
	dir, hasDir := u.lookupDir(key)
	i := file
	if hasDir && (!hasFile || file.Kind == KindTombstone && dir.Kind == KindDir) {
		i = dir
	}
	i.FileGone, i.DirGone = hasFile && file.Kind == KindTombstone, hasDir && dir.Kind == KindTombstone
	return i, hasFile || hasDir
}

// lookupFile is the entry of the object at key.
func (u *Uploader) lookupFile(key string) (Info, bool) {
	o := u.fold.queues[key].named()
	if o == nil {
		return Info{}, false
	}
	if !o.makes(key) {
		return Info{Key: key, Kind: KindTombstone, State: o.state(), Err: o.err, Base: o.baseAt(key)}, true
	}
	switch o.kind {
	case opPut:
		if f := o.gen.file; f != nil {
			return f.info(), true
		}
		g := o.gen
		return Info{
			Key: key, Kind: KindFile, State: o.state(), Size: g.content.Size(), ModTime: g.modTime,
			Headers: u.stamped(g), Gen: g.id, Base: o.base, Err: o.err,
		}, true
	case opMove:
		return o.moving(), true
	default:
		if m := u.moveOnto(key); m != nil { // the bytes are not there yet
			i := m.moving()
			i.Headers = o.headers.Clone()
			return i, true
		}
		i := Info{
			Key: key, Kind: KindAttr, State: o.state(), Size: o.base.Size, ModTime: o.base.ModTime,
			Base: o.base, Err: o.err,
		}
		if o.headers != nil {
			i.Headers = o.headers.Clone()
		}
		return i, true
	}
}

// moving is the entry of a file that is being copied to its new name.
func (o *op) moving() Info {
	i := Info{
		Key: o.to, Kind: KindFile, State: StateMoving, Size: o.base.Size, ModTime: o.base.ModTime,
		Source: Version{Key: o.key, ETag: o.base.ETag}, Base: o.toBase, Err: o.err,
	}
	switch {
	case o.headers != nil:
		i.Headers = o.headers.Clone()
	case o.base.Headers != nil:
		i.Headers = o.base.Headers.Clone()
	}
	return i
}

// lookupDir is the entry of the directory at key: its marker, or what is below it.
func (u *Uploader) lookupDir(key string) (Info, bool) {
	i := Info{Key: key, Kind: KindDir}
	n := u.fold.tree.find(key, false)
	o := u.fold.queues[key+"/"].top()
	switch {
	case o != nil && o.makes(key+"/"):
		i.Marker, i.State, i.Err = true, o.state(), o.err
		if o.headers != nil {
			i.Headers = o.headers.Clone()
		}
		i.ModTime = o.since
		return i, true
	case n != nil && n.below() > 0:
		return i, true
	case o != nil:
		i.Kind = KindTombstone
		return i, true
	}
	return Info{}, false
}

// Children lists what is pending immediately below a directory ("public/a/"),
// tombstones included, in no order. Directories that only exist by what
// is pending below them are included.
func (u *Uploader) Children(dir string) []Info {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := u.fold.tree.find(strings.TrimSuffix(dir, "/"), false)
	if n == nil {
		return nil
	}
	infos := make([]Info, 0, len(n.sub))
	for name := range n.sub {
		if i, ok := u.lookup(dir + name); ok {
			infos = append(infos, i)
		}
	}
	return infos
}

// Removals lists the keys, markers with their slash, that have been removed or moved away and that the store may still have,
// in no order.
func (u *Uploader) Removals() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	var keys []string
	for key, q := range u.fold.queues {
		if !q.top().makes(key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// Under reports whether anything that exists is pending below a directory
// ("public/a/"); tombstones and the directory's own marker do not count.
func (u *Uploader) Under(dir string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := u.fold.tree.find(strings.TrimSuffix(dir, "/"), false)
	return n != nil && n.below() > 0
}

// Has reports whether anything at all is pending at or below a prefix that ends in "/".
func (u *Uploader) Has(dir string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.fold.tree.find(strings.TrimSuffix(dir, "/"), false) != nil
}
