package uploader_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// A rename whose copy fails: what the handles of both files have written meanwhile.

// denyCopies lets the bucket refuse copies to "b".
func (r *rig) denyCopies() {
	r.mem.SetAllow(func(o, k string) error {
		if o == op.Copy && k == key("b") {
			return errors.New("denied")
		}
		return nil
	})
}

// move is a rename under way.
type move struct {
	*rig

	end  func()
	done chan error
}

// refuse lets the copy be denied.
func (m *move) refuse() {
	m.t.Helper()
	m.denyCopies()
	m.end()
	if err := <-m.done; !errors.Is(err, store.ErrPermission) {
		m.t.Errorf("rename: %v", err)
	}
	m.mem.SetAllow(nil)
}

// copied lets it succeed.
func (m *move) copied() {
	m.t.Helper()
	m.end()
	check(m.t, <-m.done)
}

// moving runs a test while the copy of "a" ("source") to "b" ("target") stalls. before opens files.
func moving(t *testing.T, before func(r *rig), test func(m *move)) {
	t.Helper()
	faulty(t, func(t *testing.T, r *rig, f *faultstore.Store) {
		r.mem.PutString(key("a"), "source")
		r.mem.PutString(key("b"), "target")
		before(r)
		m := &move{rig: r, end: func() { f.Release() }, done: make(chan error, 1)}
		go func() {
			m.done <- r.u.Rename(context.Background(), key("a"), key("b"), r.stored(key("a")), r.stored(key("b")), false)
		}()
		synctest.Wait()
		if n := len(f.Stalled()); n != 1 {
			t.Fatalf("%d stalled", n)
		}
		test(m)
	}, faultstore.Rule{Op: op.Copy, Fault: faultstore.Stall(), Count: 1})
}

func Test_5a_MOVING_Write_ToTheTarget_StaysWhenTakenBack(t *testing.T) {
	for name, closed := range map[string]bool{"open": false, "closed": true} {
		t.Run(name, func(t *testing.T) {
			var b *uploader.File
			moving(t, func(r *rig) { b = r.edit(key("b")) }, func(m *move) {
				m.writeAt(b, "TAR", 0)
				if closed {
					m.close(b)
				}
				m.refuse()
				if !closed {
					m.writeAt(b, "!", 6)
					m.close(b)
				}
				m.drain()
				want := "TARget"
				if !closed {
					want += "!"
				}
				m.wantBucket(map[string]string{key("a"): "source", key("b"): want})
			})
		})
	}
}

func Test_5a_MOVING_Write_ToTheTarget_GoesWhenCopied(t *testing.T) {
	var b *uploader.File
	moving(t, func(r *rig) { b = r.edit(key("b")) }, func(m *move) {
		m.writeAt(b, "TAR", 0)
		check(m.t, b.Flush(context.Background()))
		m.writeAt(b, "tar", 0)
		m.copied()
		if s := b.Info().State; s != uploader.StateGone {
			m.t.Errorf("state %v", s)
		}
		m.close(b)
		m.drain()
		m.wantBucket(map[string]string{key("b"): "source"})
	})
}

// A generation of the target that waits behind the move is closed with its handle.
func Test_5a_MOVING_Close_OfTheTarget_StaysWhenTakenBack(t *testing.T) {
	var b *uploader.File
	moving(t, func(r *rig) {
		b = r.edit(key("b"))
		r.writeAt(b, "TAR", 0)
	}, func(m *move) {
		m.close(b)
		m.refuse()
		m.drain()
		m.wantBucket(map[string]string{key("a"): "source", key("b"): "TARget"})
	})
}

func Test_5a_MOVING_Write_ToTheSource_GoesBackWhenTakenBack(t *testing.T) {
	for name, closed := range map[string]bool{"open": false, "closed": true} {
		t.Run(name, func(t *testing.T) {
			var a *uploader.File
			moving(t, func(r *rig) { a = r.edit(key("a")) }, func(m *move) {
				m.writeAt(a, "SOU", 0)
				if closed {
					m.close(a)
				}
				m.refuse()
				if got := a.Key(); got != key("a") {
					m.t.Errorf("key %q", got)
				}
				if !closed {
					m.close(a)
				}
				m.drain()
				m.wantBucket(map[string]string{key("a"): "SOUrce", key("b"): "target"})
			})
		})
	}
}

func Test_5a_MOVING_Write_ToTheSource_FollowsWhenCopied(t *testing.T) {
	var a *uploader.File
	moving(t, func(r *rig) { a = r.edit(key("a")) }, func(m *move) {
		m.writeAt(a, "SOU", 0)
		m.copied()
		m.writeAt(a, "!", 6)
		m.close(a)
		m.drain()
		m.wantBucket(map[string]string{key("b"): "SOUrce!"})
	})
}

// The same after a crash: what was closed is where it belongs, whatever becomes of the move.
func Test_5c_MOVING_Kill_ThenTakenBack(t *testing.T) {
	var a, b *uploader.File
	moving(t, func(r *rig) { a, b = r.edit(key("a")), r.edit(key("b")) }, func(m *move) {
		m.writeAt(a, "SOU", 0)
		m.writeAt(b, "TAR", 0)
		m.mem.SetAllow(func(o, _ string) error { // no base: it stays a delta
			if o == op.Get {
				return errors.New("denied")
			}
			return nil
		})
		m.close(a)
		m.close(b)
		m.denyCopies()
		m.crash()
		if err := <-m.done; !errors.Is(err, uploader.ErrClosed) {
			m.t.Errorf("rename: %v", err)
		}
		time.Sleep(time.Hour)
		m.mem.SetAllow(nil)
		m.u.Retry()
		m.drain()
		m.wantBucket(map[string]string{key("a"): "SOUrce", key("b"): "TARget"})
	})
}

// Another file got the old name while the move was on its way: all three are kept.
func Test_5a_MOVING_Write_OldNameTaken_TakenBackKeepsAll(t *testing.T) {
	var a *uploader.File
	moving(t, func(r *rig) { a = r.edit(key("a")) }, func(m *move) {
		m.writeAt(a, "SOU", 0)
		m.close(a)
		m.put(key("a"), "new a")
		m.refuse()
		m.drain()
		got := m.bucket()
		all := ""
		for k, v := range got {
			if strings.Contains(k, "conflict") {
				all += v + " "
			}
		}
		if got[key("a")] != "source" || got[key("b")] != "target" || !strings.Contains(all, "SOUrce") || !strings.Contains(all, "new a") {
			m.t.Errorf("bucket %q", got)
		}
	})
}

// A file that a move is to replace is opened for writing only when that is decided.
func Test_5a_MOVING_Write_OpenOfThePendingTarget_Waits(t *testing.T) {
	var b *uploader.File
	moving(t, func(r *rig) {
		b = r.edit(key("b"))
		r.writeAt(b, "TAR", 0)
	}, func(m *move) {
		opened := make(chan *uploader.File, 1)
		go func() {
			f, err := m.u.Open(context.Background(), key("b"), uploader.OpenOptions{Base: absent()})
			check(m.t, err)
			opened <- f
		}()
		synctest.Wait()
		m.refuse()
		f := <-opened
		m.writeAt(f, "!", 6)
		m.close(f)
		m.close(b)
		m.drain()
		m.wantBucket(map[string]string{key("a"): "source", key("b"): "TARget!"})
	})
}

// A change of headers while the move goes on is one of the new name, whose bytes are still at the old one.
func Test_5a_MOVING_Chmod_IsMadeAtTheNewName(t *testing.T) {
	moving(t, func(*rig) {}, func(m *move) {
		check(m.t, m.u.SetHeaders(context.Background(), key("b"), m.stored(key("b")), memHeaders("7")))
		i, ok := m.u.Lookup(key("b"))
		if !ok || i.State != uploader.StateMoving || i.Source.Key != key("a") || i.Headers.Metadata["v"] != "7" {
			m.t.Errorf("%+v", i)
		}
		m.copied()
		m.drain()
		m.wantBucket(map[string]string{key("b"): "source"})
		if got := m.stored(key("b")).Headers.Metadata["v"]; got != "7" {
			m.t.Errorf("headers %q", got)
		}
	})
}
