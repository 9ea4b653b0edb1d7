package uploader

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// foreign decides about a generation whose key has a version that is neither its base nor
// its own (promise 4). A nil error: the operation goes on in another form.
func (u *Uploader) foreign(ctx context.Context, o *op, now Base) error {
	u.mu.Lock()
	abandoned := o.is(flagAbandoned)
	u.mu.Unlock()
	switch {
	case abandoned:
		return u.giveUpForeign(o)
	case now.State == Absent:
		return u.foreignDelete(o)
	case u.cfg.OnConflict == Overwrite:
		return u.overwrite(o, now)
	case u.cfg.OnConflict == Fail:
		return fmt.Errorf("put %q: %w", o.key, ErrConflict)
	case !o.gen.whole():
		return u.keepTheirs(ctx, o, now)
	}
	return u.keepBoth(o, now)
}

// foreignDelete: the base was deleted by somebody else. Ours is whole and is kept.
func (u *Uploader) foreignDelete(o *op) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	r := o.record(spool.TypeAmend)
	r.Base = spool.Base{State: spool.Absent}
	if err := u.commit(r); err != nil {
		return err
	}
	u.events.add(Event{Kind: ForeignGone, Key: o.key, Gen: o.gen.id})
	u.log.Warn("the stored version was deleted by somebody else, ours is kept", zap.String("key", o.key))
	return nil
}

func (u *Uploader) overwrite(o *op, now Base) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	r := o.record(spool.TypeAmend)
	r.Base = now.logged()
	if err := u.commit(r); err != nil {
		return err
	}
	u.counts.Conflicts++
	u.log.Warn("a foreign version will be overwritten", zap.String("key", o.key), zap.String("etag", now.ETag))
	return nil
}

// keepBoth re-keys the generation, and what is on top of it, to a conflict name: the key is the foreign
// version's, open write handles follow ours. What is left at the key expects what the generation
// expected, and so meets the foreign version as a conflict, too.
func (u *Uploader) keepBoth(o *op, now Base) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.fold.ops[o.id] != o {
		return nil
	}
	from, to := o.key, u.freeConflictName(o.key, time.Now())
	f := o.gen.file
	base, old := Base{State: Absent}, o.base
	if old.State == Unknown {
		old = base // nothing of ours is there, whatever is
	}
	var recs, ends []*spool.Record
	for _, x := range u.fold.queues[from] {
		if x != o && (x.kind != opPut || f == nil || x.gen.file != f || x.is(flagReplaced)) {
			continue
		}
		n := &op{id: u.newID(), kind: opPut, key: to, flags: x.flags &^ flagStarted, base: base, gen: x.gen}
		recs = append(recs, n.record(spool.TypeConflict))
		end := x.done(spool.TypeDone, old, Base{})
		end.Gen = ""
		ends = append(ends, end)
		base = Base{}
	}
	if err := u.commit(append(recs, ends...)...); err != nil {
		return err
	}
	if f != nil && u.files[from] == f {
		delete(u.files, from)
		f.key, f.baseKey = to, to
		u.files[to] = f
	}
	u.counts.Conflicts++
	u.events.add(Event{
		Kind: Conflict, Key: from, To: to, ETag: now.ETag, Size: now.Size, LastModified: now.ModTime, Gen: o.gen.id,
	})
	u.log.Warn("somebody else has changed the object, both are kept", zap.String("key", from), zap.String("ours", to))
	return nil
}

// keepTheirs copies the foreign version to a conflict name: what of ours was copied by the store is in an upload that
// is bound to the key. Ours then replaces the version that was copied, and none that is newer.
func (u *Uploader) keepTheirs(ctx context.Context, o *op, now Base) error {
	u.mu.Lock()
	to := u.freeConflictName(o.key, time.Now())
	u.mu.Unlock()
	r := store.CopyRequest{Source: o.key, SourceETag: now.ETag, Target: to}
	copyTheirs := func() (res store.PutResult, err error) {
		if now.Size > u.limits.MaxCopy {
			r.Cond.IfNoneMatch = true
			res, _, err = u.copyParts(ctx, r, now.Size)
			return res, err
		}
		_, err = u.try(ctx, now.Size, func(ctx context.Context) (err error) {
			res, err = u.store.Copy(ctx, r)
			return err
		})
		return res, err
	}
	at, err := u.lookAt(ctx, to) // servers that drop the condition of a copy are many
	for err == nil && at.State == Present {
		r.Target = conflictName(r.Target, u.cfg.Host, time.Now())
		at, err = u.lookAt(ctx, r.Target)
	}
	if err != nil {
		return fmt.Errorf("keep the foreign version of %q: %w", o.key, err)
	}
	res, err := copyTheirs()
	if err == nil {
		err = u.stable(ctx)
	}
	if err != nil { // changed once more, perhaps: the next round looks again
		return fmt.Errorf("keep the foreign version of %q: %w", o.key, err)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.fold.ops[o.id] != o {
		return nil
	}
	amend := o.record(spool.TypeAmend)
	amend.Base = now.logged()
	if err := u.commit(amend); err != nil {
		return err
	}
	h := store.Headers{}
	if now.Headers != nil {
		h = now.Headers.Clone()
	}
	u.counts.Conflicts++
	u.events.add(Event{Kind: Committed, Key: r.Target, ETag: res.ETag, Size: now.Size, Headers: h, From: o.key})
	u.events.add(Event{Kind: Conflict, Key: o.key, To: r.Target, Theirs: true, ETag: now.ETag, Size: now.Size, LastModified: now.ModTime, Gen: o.gen.id})
	u.log.Warn("somebody else has changed the object, both are kept", zap.String("key", o.key), zap.String("theirs", r.Target))
	return nil
}

// freeConflictName is the next conflict name that nothing pending has. Called with mu held.
func (u *Uploader) freeConflictName(key string, now time.Time) string {
	for {
		key = conflictName(key, u.cfg.Host, now)
		if len(u.fold.queues[key]) == 0 && u.files[key] == nil {
			return key
		}
	}
}

// maxName is the longest name that a file system shows, in bytes.
const maxName = 255

// conflictName gives "name (conflict HOST 2006-01-02 15.04.05).ext", of a
// name that is one already the next number: "… 15.04.05 2).ext".
func conflictName(key, host string, now time.Time) string {
	dir, name := path.Split(key)
	pattern := regexp.MustCompile(`^(.*) \((conflict .+ \d{4}-\d\d-\d\d \d\d\.\d\d\.\d\d)(?: (\d+))?\)(\.[^.]*)?$`)
	stem, ext, mark := name, "", "conflict "+cleanHost(host)+" "+now.Format("2006-01-02 15.04.05")
	if m := pattern.FindStringSubmatch(name); m != nil {
		n := 1
		if m[3] != "" {
			n, _ = strconv.Atoi(m[3])
		}
		stem, ext, mark = m[1], m[4], m[2]+" "+strconv.Itoa(n+1)
	} else if i := strings.LastIndexByte(name, '.'); i > 0 {
		stem, ext = name[:i], name[i:]
	}
	tail := " (" + mark + ")" + ext
	for len(stem)+len(tail) > maxName && stem != "" {
		_, n := utf8.DecodeLastRuneInString(stem)
		stem = stem[:len(stem)-n]
	}
	return dir + stem + tail
}

// cleanHost keeps what is harmless in a file name.
func cleanHost(host string) string {
	const maxHost = 64
	host = strings.Map(func(r rune) rune {
		if r <= ' ' || r == '/' || r == 0x7f || r == '(' || r == ')' {
			return '-'
		}
		return r
	}, host)
	return host[:min(len(host), maxHost)]
}
