package uploader

import (
	"iter"
	"strings"
)

// tree is the overlay's directories: which names have something pending, so
// that the children of a directory cost as much as there are, not as the
// whole queue. The zero value is empty. Guarded by Uploader.mu.
type tree struct {
	root treeNode
}

// treeNode is one name. A file and a directory may share a name in the bucket
// ("a" and "a/b"): leaf and marker are told apart.
type treeNode struct {
	parent *treeNode
	name   string
	sub    map[string]*treeNode

	leaf, marker         bool // pending: key is the path, or the path and a slash
	leafLive, markerLive bool // and exists once that has run
	live                 int  // live leaves and markers at and below
}

// set says whether something is pending at key and whether the name exists by it.
// Keys that end in "/" are markers.
func (t *tree) set(key string, pending, live bool) {
	path, marker := strings.CutSuffix(key, "/")
	n := t.find(path, pending)
	if n == nil {
		return
	}
	was := n.leafLive
	if marker {
		was = n.markerLive
		n.marker, n.markerLive = pending, live
	} else {
		n.leaf, n.leafLive = pending, live
	}
	if was != live {
		d := 1
		if was {
			d = -1
		}
		for p := n; p != nil; p = p.parent {
			p.live += d
		}
	}
	for n.parent != nil && !n.leaf && !n.marker && len(n.sub) == 0 {
		delete(n.parent.sub, n.name)
		n = n.parent
	}
}

// find walks to path ("" = the root), making what is missing if asked to.
func (t *tree) find(path string, make bool) *treeNode {
	n := &t.root
	if path == "" {
		return n
	}
	for name := range strings.SplitSeq(path, "/") {
		next := n.sub[name]
		if next == nil {
			if !make {
				return nil
			}
			if n.sub == nil {
				n.sub = map[string]*treeNode{}
			}
			next = &treeNode{parent: n, name: name}
			n.sub[name] = next
		}
		n = next
	}
	return n
}

// keysBelow iterates over the keys at and below a directory ("a/b/"): its marker and
// everything pending under it.
func (t *tree) keysBelow(dir string) iter.Seq[string] {
	return func(yield func(string) bool) {
		path := strings.TrimSuffix(dir, "/")
		if n := t.find(path, false); n != nil {
			n.walk(path, true, yield)
		}
	}
}

func (n *treeNode) walk(path string, top bool, yield func(string) bool) bool {
	if n.leaf && !top && !yield(path) {
		return false
	}
	if n.marker && !yield(path+"/") {
		return false
	}
	for name, c := range n.sub {
		sub := name
		if path != "" || !top {
			sub = path + "/" + name
		}
		if !c.walk(sub, false, yield) {
			return false
		}
	}
	return true
}

// below counts what exists below the node itself (its marker does not count as below, nor
// a file of the same name).
func (n *treeNode) below() int {
	live := n.live
	if n.leafLive {
		live--
	}
	if n.markerLive {
		live--
	}
	return live
}
