package vfs

import (
	"context"
	"time"

	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// openNodeOf is the node that an open file stands for: its own version, whatever
// the listing says by now.
func (v *FS) openNodeOf(of *openFile, path string) node {
	n := node{path: path, until: time.Now().Add(v.cfg.MetadataTTL)}
	key := v.keyOf(of)
	if now, ok := v.policy.PathOf(key); ok && key != "" {
		n.path = now
	}
	if t, err := v.policy.Resolve(n.path); err == nil {
		n.target = t
	} else {
		n.target = levels.Target{Kind: levels.Entry}
	}
	var s source
	var info uploader.Info
	of.view(func(now source) {
		if s = now; s.local != nil {
			info = s.local.Info()
		}
	})
	if s.local != nil {
		info.Kind = uploader.KindFile
		n.info, n.own = &info, true
		n.until = v.fixedUntil()
		return n
	}
	n.obj = &s.obj
	if s.kept != nil {
		kept := s.obj
		kept.Size = s.kept.Size()
		n.obj = &kept
	}
	if info, ok := v.up.Lookup(key); ok && key != "" && info.Kind == uploader.KindAttr {
		n.info = &info
	}
	return n
}

// openAttr is fstat(2) of an open file.
func (v *FS) openAttr(ctx context.Context, of *openFile, path string) (Attr, error) {
	n := v.openNodeOf(of, path)
	named := v.keyOf(of) != ""
	a, _, err := v.describe(ctx, &n, named)
	if err != nil {
		return Attr{}, err
	}
	a.Ino, a.Gen = of.ino, of.gen
	if !named {
		a.Nlink, a.TTL = 0, 0
	}
	return a, nil
}
