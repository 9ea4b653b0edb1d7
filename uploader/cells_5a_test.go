package uploader_test

import (
	"errors"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// docs/UPLOADER.md, 5a: local events.

func TestCellsOfCleanOpenQueued(t *testing.T) {
	runCells(t, []cell{
		{name: "Test_5a_CLEAN_Write", state: inClean, event: onWrite, want: files{"f": "new"}, asks: "put f"},
		{name: "Test_5a_CLEAN_Write_Nothing", state: inClean, event: func(c *cellRig) { c.close(c.edit(key("f"))) }, want: files{"f": "base"}},
		{name: "Test_5a_CLEAN_Close_Truncate", state: inClean, event: onTruncate, want: files{"f": "ba"}, asks: "get f, put f"},
		{name: "Test_5a_CLEAN_Fsync", state: inClean, event: func(c *cellRig) { f := c.edit(key("f")); check(c.t, f.Sync(c.t.Context())); c.close(f) }, want: files{"f": "base"}},
		{name: "Test_5a_CLEAN_Chmod", state: inClean, event: onChmod, want: files{"f": "base"}, asks: "copy f", v: "f"},
		{name: "Test_5a_CLEAN_Rename", state: inClean, event: onRename, want: files{"g": "base"}, asks: "copy g, delete f"},
		{name: "Test_5a_CLEAN_RenamedOnto", state: inClean, event: onRenamedOnto, want: files{"f": "source"}, asks: "put f"},
		{name: "Test_5a_CLEAN_Unlink", state: inClean, event: onUnlink, want: files{}, asks: "delete f"},

		{name: "Test_5a_OPEN_Write", state: inOpen, event: onHandle, want: files{"f": "OWse"}, asks: "get f, put f"},
		{name: "Test_5a_OPEN_Close", state: inOpen, event: both(onFlush, onHandle, noEvent), want: files{"f": "OWse"}},
		{name: "Test_5a_OPEN_Release", state: inOpen, event: releaseOnly, want: files{"f": "OPse"}, asks: "get f, put f"},
		{name: "Test_5a_OPEN_Fsync", state: inOpen, event: func(c *cellRig) { check(c.t, c.h.Sync(c.t.Context())); c.killed() }, want: files{"f": "OPse"}},
		{name: "Test_5a_OPEN_Chmod", state: inOpen, event: onChmod, want: files{"f": "OPse"}, asks: "get f, put f", v: "f"},
		{name: "Test_5a_OPEN_Rename", state: inOpen, event: onRename, want: files{"g": "OPse"}, asks: "get f, put g, delete f"},
		{name: "Test_5a_OPEN_RenamedOnto", state: inOpen, event: onRenamedOnto, want: files{"f": "source"}, asks: "put f"},
		{name: "Test_5a_OPEN_Unlink", state: inOpen, event: onUnlink, want: files{}},

		{name: "Test_5a_QUEUED_Write", state: inQueued, event: onWrite, want: files{"f": "new"}, asks: "put f"},
		{name: "Test_5a_QUEUED_Close_Truncate", state: inQueued, event: onTruncate, want: files{"f": "qu"}, asks: "put f"},
		{name: "Test_5a_QUEUED_Fsync", state: inQueued, event: onFsync, want: files{"f": "Fueued"}},
		{name: "Test_5a_QUEUED_Chmod", state: inQueued, event: onChmod, want: files{"f": "queued"}, asks: "put f", v: "f"},
		{name: "Test_5a_QUEUED_Rename", state: inQueued, event: onRename, want: files{"g": "queued"}, asks: "put g, delete f"},
		{name: "Test_5a_QUEUED_RenamedOnto", state: inQueued, event: onRenamedOnto, want: files{"f": "source"}, asks: "put f"},
		{name: "Test_5a_QUEUED_Unlink", state: inQueued, event: onUnlink, want: files{}, asks: "delete f"},
	})
}

// releaseOnly is the end of a process that was killed by a mapping's write: no flush comes.
func releaseOnly(c *cellRig) {
	check(c.t, c.h.Release(c.t.Context(), true))
	c.h = nil
}

func TestCellsOfSendingAndUnsure(t *testing.T) {
	runCells(t, []cell{
		{name: "Test_5a_SENDING_Write", state: inSending, event: onWrite, want: files{"f": "new"}, asks: "put f, put f"},
		{name: "Test_5a_SENDING_Close_Truncate", state: inSending, event: onTruncate, want: files{"f": "qu"}, asks: "put f, put f"},
		{name: "Test_5a_SENDING_Fsync", state: inSending, event: onFsync, want: files{"f": "Fueued"}},
		{name: "Test_5a_SENDING_Chmod", state: inSending, event: onChmod, want: files{"f": "queued"}, asks: "put f, put f", v: "f"},
		{name: "Test_5a_SENDING_Rename", state: inSending, event: onRename, want: files{"g": "queued"}, asks: "put f, put g, delete f"},
		{name: "Test_5a_SENDING_RenamedOnto", state: inSending, event: onRenamedOnto, want: files{"f": "source"}, asks: "put f, put f"},
		{name: "Test_5a_SENDING_Unlink", state: inSending, event: onUnlink, want: files{}},
	})
	for suffix, applied := range map[string]bool{"": true, "_NotApplied": false} {
		in := inUnsure(applied)
		runCells(t, []cell{
			{name: "Test_5a_UNSURE_Write" + suffix, state: in, event: onWrite, want: files{"f": "new"}},
			{name: "Test_5a_UNSURE_Close" + suffix, state: in, event: onTruncate, want: files{"f": "qu"}},
			{name: "Test_5a_UNSURE_Fsync" + suffix, state: in, event: onFsync, want: files{"f": "Fueued"}},
			{name: "Test_5a_UNSURE_Chmod" + suffix, state: in, event: onChmod, want: files{"f": "queued"}, v: "f"},
			{name: "Test_5a_UNSURE_Rename" + suffix, state: in, event: onRename, want: files{"g": "queued"}},
			{name: "Test_5a_UNSURE_RenamedOnto" + suffix, state: in, event: onRenamedOnto, want: files{"f": "source"}},
			{name: "Test_5a_UNSURE_Unlink" + suffix, state: in, event: onUnlink, want: files{}},
			{
				name: "Test_5a_UNSURE_Unlink_Foreign" + suffix, state: in,
				event: func(c *cellRig) { onUnlink(c); c.mem.PutString(key("f"), "theirs") },
				want:  files{"f": "theirs"}, told: "reappeared f",
			},
		})
	}
}

func TestCellsOfConflict(t *testing.T) {
	runCells(t, []cell{
		{name: "Test_5a_CONFLICT_Write", state: inConflict, event: both(onWrite, onHandle), want: files{"f": "new", "conflict": "oWrs"}},
		{name: "Test_5a_CONFLICT_Close", state: inConflict, event: onFlush, want: files{"f": "theirs", "conflict": "oWrs"}},
		{name: "Test_5a_CONFLICT_Fsync", state: inConflict, event: func(c *cellRig) { onHandle(c); check(c.t, c.h.Sync(c.t.Context())); c.killed() }, want: files{"f": "theirs", "conflict": "oWrs"}},
		{name: "Test_5a_CONFLICT_Chmod", state: inConflict, event: onChmod, want: files{"f": "theirs", "conflict": "ours"}, v: "f"},
		{name: "Test_5a_CONFLICT_Chmod_OfOurs", state: inConflict, event: func(c *cellRig) { check(c.t, c.h.SetHeaders(memHeaders("7"))) }, want: files{"f": "theirs", "conflict": "ours"}},
		{name: "Test_5a_CONFLICT_Rename", state: inConflict, event: onRename, want: files{"g": "theirs", "conflict": "ours"}},
		{
			name: "Test_5a_CONFLICT_Rename_OfOurs", state: inConflict,
			event: func(c *cellRig) { c.rig.rename(c.h.Key(), key("g")) }, want: files{"f": "theirs", "g": "ours"},
		},
		{name: "Test_5a_CONFLICT_RenamedOnto", state: inConflict, event: onRenamedOnto, want: files{"f": "source", "conflict": "ours"}},
		{name: "Test_5a_CONFLICT_Unlink", state: inConflict, event: onUnlink, want: files{"conflict": "ours"}},
	})
}

func TestCellsOfFailed(t *testing.T) {
	runCells(t, []cell{
		{name: "Test_5a_FAILED_Write", state: inFailed, event: onWrite, want: files{"f": "new"}, asks: "put f", told: "failed f"},
		{name: "Test_5a_FAILED_Close_Truncate", state: inFailed, event: onTruncate, want: files{"f": "qu"}, asks: "put f"},
		{name: "Test_5a_FAILED_Fsync", state: inFailed, event: onFsync, want: files{"f": "Fueued"}},
		{name: "Test_5a_FAILED_Chmod", state: inFailed, event: onChmod, want: files{"f": "queued"}, asks: "put f", v: "f"},
		{name: "Test_5a_FAILED_Rename", state: inFailed, event: onRename, want: files{"g": "queued"}, asks: "put g, delete f"},
		{name: "Test_5a_FAILED_RenamedOnto", state: inFailed, event: onRenamedOnto, want: files{"f": "source"}, asks: "put f"},
		{name: "Test_5a_FAILED_Unlink", state: inFailed, event: onUnlink, want: files{}},
	})
}

// An fsync that waits for the store is told why it can not; so is a close.
func TestCellsWithUpload(t *testing.T) {
	fsync := func(want error) func(*cellRig) {
		return func(c *cellRig) {
			f := c.edit(key("f"))
			c.writeAt(f, "F", 0)
			err := f.Sync(c.t.Context())
			check(c.t, f.Release(c.t.Context(), true))
			c.refuses(err, want)
		}
	}
	upload := func(c *uploader.Config) { c.FsyncUpload = true }
	runCells(t, []cell{
		{name: "Test_5a_CLEAN_Fsync_Upload", state: inClean, event: fsync(nil), want: files{"f": "Fase"}},
		{name: "Test_5a_QUEUED_Fsync_Upload", state: inQueued, event: fsync(nil), want: files{"f": "Fueued"}},
		{name: "Test_5a_FAILED_Fsync_Upload", state: inFailed, event: fsync(store.ErrTransient), want: files{"f": "Fueued"}},
		{name: "Test_5a_CONFLICT_Fsync_Upload", state: inConflict, event: func(c *cellRig) {
			onHandle(c)
			c.refuses(c.h.Sync(c.t.Context()), store.ErrTransient)
		}, want: files{"f": "theirs", "conflict": "oWrs"}},
	}, upload)
	runCells(t, []cell{{name: "Test_5a_FAILED_Close_Upload", state: func(c *cellRig) {
		inClean(c)
		c.faults.StartOutage(faultstore.Refused())
	}, event: func(c *cellRig) {
		f := c.create(key("f"))
		c.writeAt(f, "x", 0)
		c.refuses(f.Flush(c.t.Context()), store.ErrTransient)
		check(c.t, f.Release(c.t.Context(), true))
	}, want: files{"f": "x"}}}, func(c *uploader.Config) { c.CloseUpload = true })
}

func TestCellsOfBaseLostAndQuarantine(t *testing.T) {
	lost := files{"f": "theirs"}
	runCells(t, []cell{
		{name: "Test_5a_BASELOST_Write_IntoHoles", state: inBaseLost, event: func(c *cellRig) {
			_, err := c.h.WriteAt(c.t.Context(), []byte("x"), 0)
			c.refuses(err, uploader.ErrBaseLost)
		}, want: lost, quar: 1, told: "base-lost f"},
		{name: "Test_5a_BASELOST_Write_Whole", state: inBaseLost, event: onWrite, want: files{"f": "new"}, quar: 1},
		{name: "Test_5a_BASELOST_Close", state: inBaseLost, event: func(c *cellRig) {
			c.refuses(c.h.Flush(c.t.Context()), uploader.ErrBaseLost)
		}, want: lost, quar: 1},
		{name: "Test_5a_BASELOST_Release", state: inBaseLost, event: both(releaseOnly, (*cellRig).killed), want: lost, quar: 1},
		{name: "Test_5a_BASELOST_Fsync", state: inBaseLost, event: func(c *cellRig) {
			c.refuses(c.h.Sync(c.t.Context()), uploader.ErrBaseLost)
		}, want: lost, quar: 1},
		{name: "Test_5a_BASELOST_Chmod", state: inBaseLost, event: func(c *cellRig) {
			if c.h.SetHeaders(memHeaders("7")) == nil {
				c.t.Error("headers of a lost file were set")
			}
		}, want: lost, quar: 1},
		{name: "Test_5a_BASELOST_Rename", state: inBaseLost, event: onRename, want: files{"g": "theirs"}, quar: 1},
		{name: "Test_5a_BASELOST_RenamedOnto", state: inBaseLost, event: onRenamedOnto, want: files{"f": "source"}, quar: 1},
		{name: "Test_5a_BASELOST_Unlink", state: inBaseLost, event: onUnlink, want: files{}, quar: 1},

		{name: "Test_5a_QUAR_Write", state: inQuar, event: onWrite, want: files{"f": "new"}, asks: "put f", quar: 1},
		{name: "Test_5a_QUAR_Unlink", state: inQuar, event: both(onUnlink, (*cellRig).killed), want: files{}, quar: 1},
	})
}

func TestCellsOfGoneAndDeleting(t *testing.T) {
	runCells(t, []cell{
		{name: "Test_5a_GONE_Write", state: inGone, event: func(c *cellRig) {
			onHandle(c)
			if got := c.read(c.h); got != "OWse" {
				c.t.Errorf("read %q", got)
			}
		}, want: files{}},
		{name: "Test_5a_GONE_Release", state: inGone, event: both(releaseOnly, (*cellRig).killed), want: files{}},
		{name: "Test_5a_GONE_Fsync", state: inGone, event: func(c *cellRig) { check(c.t, c.h.Sync(c.t.Context())); c.killed() }, want: files{}},
		{name: "Test_5a_GONE_Chmod", state: inGone, event: func(c *cellRig) { check(c.t, c.h.SetHeaders(memHeaders("7"))) }, want: files{}},

		{name: "Test_5a_DELETING_Write", state: inDeleting, event: onWrite, want: files{"f": "new"}},
		{name: "Test_5a_DELETING_Chmod", state: inDeleting, event: refused(chmodError), want: files{}},
		{name: "Test_5a_DELETING_Rename", state: inDeleting, event: refused(renameError), want: files{}},
		{name: "Test_5a_DELETING_RenamedOnto", state: inDeleting, event: onRenamedOnto, want: files{"f": "source"}},
		{name: "Test_5a_DELETING_Unlink", state: inDeleting, event: refused(unlinkError), want: files{}},

		{name: "Test_5a_DELETING_InFlight_Write", state: inDeletingInFlight, event: onWrite, want: files{"f": "new"}, asks: "delete f, put f"},
		{name: "Test_5a_DELETING_InFlight_Close", state: inDeletingInFlight, event: both(onWrite, noEvent), want: files{"f": "new"}},
		{name: "Test_5a_DELETING_InFlight_Chmod", state: inDeletingInFlight, event: refused(chmodError), want: files{}},
		{name: "Test_5a_DELETING_InFlight_Rename", state: inDeletingInFlight, event: refused(renameError), want: files{}},
		{name: "Test_5a_DELETING_InFlight_RenamedOnto", state: inDeletingInFlight, event: onRenamedOnto, want: files{"f": "source"}},
		{name: "Test_5a_DELETING_InFlight_Unlink", state: inDeletingInFlight, event: refused(unlinkError), want: files{}},
	})
}

func TestCellsOfMoving(t *testing.T) {
	runCells(t, []cell{
		{name: "Test_5a_MOVING_Write", state: inMoving, event: func(c *cellRig) {
			f, err := c.u.Open(c.t.Context(), key("f"), uploader.OpenOptions{Base: absent()})
			check(c.t, err)
			c.writeAt(f, "new", 0)
			c.close(f)
		}, want: files{"f": "new", "k2": "base"}},
		{name: "Test_5a_MOVING_Close", state: inMoving, event: func(c *cellRig) {
			f, err := c.u.Open(c.t.Context(), key("k2"), uploader.OpenOptions{Base: absent(), Truncate: true})
			check(c.t, err)
			c.writeAt(f, "new", 0)
			c.close(f)
			time.Sleep(2 * cellSettle)
		}, want: files{"k2": "new"}},
		{name: "Test_5a_MOVING_Fsync", state: inMoving, event: func(c *cellRig) { check(c.t, c.u.Sync(c.t.Context())); c.killed() }, want: files{"k2": "base"}},
		{name: "Test_5a_MOVING_Chmod", state: inMoving, event: func(c *cellRig) {
			check(c.t, c.u.SetHeaders(c.t.Context(), key("k2"), absent(), memHeaders("7")))
		}, want: files{"k2": "base"}, v: "k2"},
		{name: "Test_5a_MOVING_Rename", state: inMoving, event: func(c *cellRig) {
			first := c.rename
			c.faults.Clear()
			outcome := make(chan error, 1)
			c.rename = outcome
			go func() {
				outcome <- errors.Join(c.u.Rename(c.t.Context(), key("k2"), key("g"), absent(), absent(), false), <-first)
			}()
			time.Sleep(time.Second)
		}, want: files{"g": "base"}},
		{name: "Test_5a_MOVING_RenamedOnto", state: inMoving, event: func(c *cellRig) {
			c.put(key("s"), "source")
			check(c.t, c.u.Rename(c.t.Context(), key("s"), key("k2"), absent(), absent(), false))
		}, want: files{"k2": "source"}},
		{name: "Test_5a_MOVING_Unlink", state: inMoving, event: func(c *cellRig) {
			check(c.t, c.u.Remove(c.t.Context(), key("k2"), absent(), uploader.RemoveOptions{}))
		}, want: files{}},
	})
}
