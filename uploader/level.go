package uploader

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/store"
)

const (
	probeWait  = 2 * time.Second  // Prove waits so long for the store's word
	probeTime  = 30 * time.Second // the probe itself may take so long
	probeEvery = 30 * time.Second // a denied level is probed again
	probeName  = ".s3levelfs-probe-"
)

type levelState uint8

const (
	levelUnproved levelState = iota
	levelProved
	levelDenied
)

func (s levelState) String() string {
	return [...]string{"unproved", "proved", "denied"}[s]
}

// level is what is known of the right to write below a prefix. All but Level is guarded by Uploader.mu.
type level struct {
	Level

	state     levelState
	noCond    bool // the server ignores conditions, or says that they are loose
	err       error
	nextProbe time.Time
	probing   chan struct{} // closed when the probe under way ends
}

// levelOf finds the level of a key; nil where the configuration has none for it: then everything is
// allowed and nothing is probed.
func (u *Uploader) levelOf(key string) *level {
	var found *level
	for _, l := range u.levels {
		if strings.HasPrefix(key, l.Prefix) && (found == nil || len(l.Prefix) > len(found.Prefix)) {
			found = l
		}
	}
	return found
}

// Prove finds out, once a level, whether the caller may write below
// levelPrefix: by a conditional PUT that can not succeed. It returns nil when the level is proved, and when there
// was no answer within 2 s (the first flush waits then); ErrPermission when
// writing is denied.
func (u *Uploader) Prove(ctx context.Context, levelPrefix string) error {
	u.mu.Lock()
	l := u.levelOf(levelPrefix)
	if l == nil || l.state == levelProved || u.closed {
		u.mu.Unlock()
		return nil
	}
	if !l.CanPut {
		u.mu.Unlock()
		return &store.Error{Op: "probe", Key: l.Prefix, Kind: store.ErrPermission}
	}
	if l.state == levelDenied && time.Now().Before(l.nextProbe) {
		defer u.mu.Unlock()
		return fmt.Errorf("write below %q: %w", l.Prefix, l.err)
	}
	probing := u.probe(l)
	u.mu.Unlock()
	patience := time.NewTimer(probeWait)
	defer patience.Stop()
	select {
	case <-probing:
	case <-patience.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if l.state == levelDenied {
		return fmt.Errorf("write below %q: %w", l.Prefix, l.err)
	}
	return nil
}

// probe starts the probe of a level unless one is under way. Called with mu held.
func (u *Uploader) probe(l *level) <-chan struct{} {
	if l.probing != nil {
		return l.probing
	}
	done := make(chan struct{})
	l.probing = done
	u.wg.Go(func() {
		ctx, cancel := context.WithTimeout(u.ctx, probeTime)
		defer cancel()
		noCond, err := u.sendProbe(ctx, l)
		u.mu.Lock()
		defer u.mu.Unlock()
		u.probed(l, noCond, err)
		l.probing = nil
		close(done)
	})
	return done
}

// sendProbe asks for the right to put: 404 and 412 grant it, 403 refuses, 200 says that the server
// ignores conditions. Of a store whose conditions are loose (Limits.LooseCond) that is known before.
//
// Amazon S3 wants s3:GetObject beside s3:PutObject for a PUT with an ETag as its condition ("Enforce conditional writes on Amazon S3
// buckets"), so that in a level without the right to read that request would be refused where writing is granted: there the store's
// own way is taken, and where it has none the level stays unproved until its first flush.
func (u *Uploader) sendProbe(ctx context.Context, l *level) (noCond bool, err error) {
	key := l.Prefix + probeName + strings.ToLower(rand.Text()[:12])
	if !l.CanGet {
		stored, err := store.ProbePut(ctx, u.store, key, store.Cond{})
		if stored {
			u.dropProbe(ctx, key)
		}
		return u.limits.LooseCond, err
	}
	c := store.Cond{IfMatch: "0"}
	if u.limits.LooseCond { // the store says itself that it has no conditions to rely on: the right alone is asked for
		c = store.Cond{}
	}
	body := []byte("s3levelfs: may this level be written?\n")
	_, err = u.store.Put(ctx, key, io.NewSectionReader(bytes.NewReader(body), 0, int64(len(body))), u.probeHeaders(), c)
	if err == nil {
		u.dropProbe(ctx, key)
		return true, nil
	}
	if errors.Is(err, store.ErrNoBucket) {
		return false, err
	}
	if errors.Is(err, store.ErrNotExist) || errors.Is(err, store.ErrChanged) {
		return false, nil
	}
	return false, err
}

// dropProbe removes what a server has made of a probe.
func (u *Uploader) dropProbe(ctx context.Context, key string) {
	if err := u.store.Delete(ctx, key, store.Cond{}); err != nil {
		u.log.Warn("the probe's object could not be deleted", zap.String("key", key), zap.Error(err))
	}
}

// probed takes note of a probe's answer. Called with mu held.
func (u *Uploader) probed(l *level, noCond bool, err error) {
	switch {
	case err == nil:
		if noCond {
			u.log.Warn("the server ignores conditions: a HEAD comes before each write", zap.String("prefix", l.Prefix))
		}
		l.noCond = noCond
		u.prove(l)
	case errors.Is(err, store.ErrPermission), errors.Is(err, store.ErrNoBucket):
		u.deny(l, err)
	case errors.Is(err, errors.ErrUnsupported): // nothing was asked: the first flush will tell
	default:
		l.err = err
		u.log.Warn("the right to write could not be proved", zap.String("prefix", l.Prefix), zap.Error(err))
	}
}

// prove marks a level as writable. Called with mu held.
func (u *Uploader) prove(l *level) {
	was := l.state
	l.state, l.err = levelProved, nil
	if was == levelProved {
		return
	}
	u.events.add(Event{Kind: LevelProved, Key: l.Prefix})
	if was == levelDenied {
		u.retry(l.Prefix)
	}
}

// deny marks a level as not writable; what is pending in it waits. Called with mu held.
func (u *Uploader) deny(l *level, err error) {
	l.nextProbe = time.Now().Add(probeEvery)
	l.err = err
	if l.state == levelDenied {
		return
	}
	l.state = levelDenied
	u.events.add(Event{Kind: LevelDenied, Key: l.Prefix, Err: err})
	u.log.Error("writing is denied", zap.String("prefix", l.Prefix), zap.Error(err))
}

// proved: a write below the level has succeeded. Called with mu held.
func (u *Uploader) proved(key string) {
	if l := u.levelOf(key); l != nil {
		u.prove(l)
	}
}

// refused looks at the failure of an upload: is it the level's?
func (u *Uploader) refused(key string, err error) {
	if !errors.Is(err, store.ErrPermission) && !errors.Is(err, store.ErrNoBucket) {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if l := u.levelOf(key); l != nil {
		u.deny(l, err)
	}
}

// unproved reports whether the first flush in a level has to wait for the store.
func (u *Uploader) unproved(key string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	l := u.levelOf(key)
	return l != nil && l.state == levelUnproved
}

// noMatch: no write below the level may have an ETag as its condition, so that a look comes before what replaces something or removes
// it. The server ignores it, or wants a right to read that the level has not (see sendProbe).
func (u *Uploader) noMatch(key string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.levelOf(key).noMatch()
}

func (l *level) noMatch() bool { return l != nil && (l.noCond || !l.CanGet) }

// noConditions: the server below the level ignores all conditions.
func (u *Uploader) noConditions(key string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	l := u.levelOf(key)
	return l != nil && l.noCond
}

// probeHeaders are those of the object of a probe, which is never there for long.
func (u *Uploader) probeHeaders() store.Headers {
	p := u.cfg.Probe
	return store.Headers{ContentType: "text/plain", SSE: p.SSE, SSEKMSKeyID: p.SSEKMSKeyID, BucketKey: p.BucketKey}
}
