package uploader_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// docs/UPLOADER.md, 5c: crash, power loss, foreign change.

// onKill is kill -9.
func onKill(c *cellRig) { c.killed() }

// onPowerLoss is the same in another boot: the log counts up to its last SYNC.
func onPowerLoss(c *cellRig) {
	c.boot = "boot-2"
	c.killed()
}

// synced lets the group sync come after a state.
func synced(state func(*cellRig)) func(*cellRig) {
	return func(c *cellRig) {
		state(c)
		time.Sleep(3 * time.Second)
	}
}

func foreignWrite(c *cellRig) { c.mem.PutString(key("f"), "theirs") }

func foreignDelete(c *cellRig) { c.mem.Remove(key("f")) }

// inOpenSynced: "f" is open and was fsynced.
func inOpenSynced(c *cellRig) {
	inOpen(c)
	check(c.t, c.h.Sync(c.t.Context()))
}

// inOpenWhole: it is open and was truncated.
func inOpenWhole(c *cellRig) {
	inClean(c)
	c.h = c.create(key("f"))
	c.writeAt(c.h, "ours", 0)
}

// inQueuedDelta: it was changed in part and closed while its base could not be read.
func inQueuedDelta(c *cellRig) {
	inClean(c)
	c.faults.Add(faultstore.Rule{Op: op.Get, Count: faultstore.Forever, Fault: faultstore.Refused()})
	partly(c)
}

// inQueuedPinned: it was changed in part and closed.
func inQueuedPinned(c *cellRig) {
	inClean(c)
	partly(c)
}

// inSendingApplied: the store has it, but does not say so.
func inSendingApplied(c *cellRig) {
	inQueued(c)
	c.faults.Add(faultstore.Rule{Op: op.Put, Key: key("f"), Fault: faultstore.Applied(faultstore.Stall())})
	time.Sleep(2 * cellSettle)
}

// quarantined is what a crash leaves of an open file.
var quarantined = files{"f": "base"}

func TestCellsOfCrashes(t *testing.T) {
	runCells(t, []cell{
		{name: "Test_5c_OPEN_Unsynced_Kill", state: inOpen, event: onKill, want: quarantined, quar: 1},
		{name: "Test_5c_OPEN_Unsynced_Kill_SealedBelowGoesOn", state: inOpen, event: both(onFlush, onHandle, onKill), want: files{"f": "OWse"}, quar: 1},
		{name: "Test_5c_OPEN_Unsynced_PowerLoss", state: inOpen, event: onPowerLoss, want: quarantined, quar: 1}, // all bytes survive here
		{name: "Test_5c_OPEN_Unsynced_PowerLoss_SurvivedBytes", state: synced(inOpen), event: onPowerLoss, want: quarantined, quar: 1},
		{name: "Test_5c_OPEN_Synced_Kill", state: inOpenSynced, event: onKill, want: files{"f": "OPse"}},
		{name: "Test_5c_OPEN_Synced_PowerLoss", state: inOpenSynced, event: onPowerLoss, want: files{"f": "OPse"}},
		{name: "Test_5c_QUEUED_Kill", state: inQueued, event: onKill, want: files{"f": "queued"}, asks: "put f"},
		{name: "Test_5c_QUEUED_PowerLoss", state: synced(inQueued), event: onPowerLoss, want: files{"f": "queued"}, asks: "put f"},
		{name: "Test_5c_QUEUED_PowerLoss_NotSynced", state: inQueued, event: onPowerLoss, want: quarantined, quar: 1},
		{name: "Test_5c_SENDING_Kill", state: inSending, event: onKill, want: files{"f": "queued"}, asks: "head f, put f"},
		{name: "Test_5c_SENDING_Kill_Applied", state: inSendingApplied, event: onKill, want: files{"f": "queued"}, asks: "head f", told: "committed f"},
		{name: "Test_5c_SENDING_PowerLoss", state: inSending, event: onPowerLoss, want: files{"f": "queued"}, asks: "head f, put f"},
		{name: "Test_5c_UNSURE_Kill", state: inUnsure(true), event: onKill, want: files{"f": "queued"}, asks: "head f"},
		{name: "Test_5c_UNSURE_PowerLoss", state: inUnsure(false), event: onPowerLoss, want: files{"f": "queued"}, asks: "head f, put f"},
		{name: "Test_5c_CONFLICT_Kill", state: inConflict, event: onKill, want: files{"f": "theirs", "conflict": "ours"}},
		{name: "Test_5c_CONFLICT_PowerLoss", state: inConflict, event: onPowerLoss, want: files{"f": "theirs", "conflict": "ours"}},
		{name: "Test_5c_FAILED_Kill", state: inFailed, event: onKill, want: files{"f": "queued"}, asks: "head f, put f"},
		{name: "Test_5c_FAILED_PowerLoss", state: inFailed, event: onPowerLoss, want: files{"f": "queued"}, asks: "head f, put f"},
		{name: "Test_5c_BASELOST_Kill", state: inBaseLost, event: both(onKill, onKill), want: files{"f": "theirs"}, quar: 1},
		{name: "Test_5c_BASELOST_PowerLoss", state: synced(inBaseLost), event: onPowerLoss, want: files{"f": "theirs"}, quar: 1},
		{name: "Test_5c_QUAR_Kill", state: inQuar, event: both(onKill, onKill), want: quarantined, quar: 1},
		{name: "Test_5c_QUAR_PowerLoss", state: synced(inQuar), event: onPowerLoss, want: quarantined, quar: 1},
		{name: "Test_5c_GONE_Kill", state: inGone, event: onKill, want: files{}},
		{name: "Test_5c_GONE_PowerLoss", state: synced(inGone), event: onPowerLoss, want: files{}},
		{name: "Test_5c_DELETING_Kill", state: inDeleting, event: onKill, want: files{}},
		{name: "Test_5c_DELETING_Kill_InFlight", state: inDeletingInFlight, event: both(onKill, foreignWrite), want: files{"f": "theirs"}, told: "reappeared f"},
		{name: "Test_5c_DELETING_PowerLoss", state: inDeleting, event: onPowerLoss, want: files{"f": "base"}},
		{name: "Test_5c_DELETING_PowerLoss_Synced", state: inDeletingInFlight, event: both(noEvent, onPowerLoss), want: files{}},
		{name: "Test_5c_MOVING_Kill", state: inMoving, event: onKill, want: files{"k2": "base"}},
		{name: "Test_5c_MOVING_Kill_Copied", state: inMovingDelete, event: onKill, want: files{"k2": "base"}},
		{name: "Test_5c_MOVING_PowerLoss", state: inMoving, event: onPowerLoss, want: files{"f": "base"}},
		{name: "Test_5c_MOVING_PowerLoss_Synced", state: synced(inMoving), event: onPowerLoss, want: files{"k2": "base"}},
	})
}

func TestCellsOfForeignChanges(t *testing.T) {
	theirs := files{"f": "theirs"}
	conflict := func(ours string) files { return files{"f": "theirs", "conflict": ours} }
	runCells(t, []cell{
		{name: "Test_5c_CLEAN_ForeignWrite", state: inReader, event: both(foreignWrite, readerIsStale), want: files{"f": "new"}},
		{name: "Test_5c_CLEAN_ForeignDelete", state: inReader, event: both(foreignDelete, readerIsStale), want: files{"f": "new"}},
		{name: "Test_5c_OPEN_Unsynced_ForeignWrite_Whole", state: inOpenWhole, event: foreignWrite, want: conflict("ours"), told: "conflict f"},
		{name: "Test_5c_OPEN_Unsynced_ForeignWrite_Delta", state: inOpen, event: foreignWrite, want: theirs, quar: 1, told: "base-lost f"},
		{name: "Test_5c_OPEN_Unsynced_ForeignDelete_Whole", state: inOpenWhole, event: foreignDelete, want: files{"f": "ours"}, told: "foreign-gone f"},
		{name: "Test_5c_OPEN_Unsynced_ForeignDelete_Delta", state: inOpen, event: foreignDelete, want: files{}, quar: 1, told: "base-lost f"},
		{name: "Test_5c_OPEN_Synced_ForeignWrite", state: inOpenSynced, event: both(foreignWrite, onKill), want: theirs, quar: 1},
		{name: "Test_5c_OPEN_Synced_ForeignDelete", state: inOpenSynced, event: both(foreignDelete, onKill), want: files{}, quar: 1},
		{name: "Test_5c_QUEUED_ForeignWrite_Whole", state: inQueued, event: foreignWrite, want: conflict("queued"), told: "conflict f"},
		{name: "Test_5c_QUEUED_ForeignWrite_Unpinned", state: inQueuedDelta, event: foreignWrite, want: theirs, quar: 1, told: "base-lost f"},
		{name: "Test_5c_QUEUED_ForeignWrite_Pinned", state: inQueuedPinned, event: foreignWrite, want: conflict("OPse"), told: "conflict f"},
		{name: "Test_5c_QUEUED_ForeignDelete_Whole", state: inQueued, event: foreignDelete, want: files{"f": "queued"}, told: "foreign-gone f"},
		{name: "Test_5c_QUEUED_ForeignDelete_Unpinned", state: inQueuedDelta, event: foreignDelete, want: files{}, quar: 1},
		{name: "Test_5c_QUEUED_ForeignDelete_Pinned", state: inQueuedPinned, event: foreignDelete, want: files{"f": "OPse"}, told: "foreign-gone f"},
		{name: "Test_5c_SENDING_ForeignWrite", state: inSending, event: foreignWrite, want: conflict("queued")},
		{name: "Test_5c_SENDING_ForeignDelete", state: inSending, event: foreignDelete, want: files{"f": "queued"}, told: "foreign-gone f"},
		{name: "Test_5c_UNSURE_ForeignWrite", state: inUnsure(true), event: foreignWrite, want: conflict("queued"), told: "conflict f"},
		{name: "Test_5c_UNSURE_ForeignDelete", state: inUnsure(false), event: foreignDelete, want: files{"f": "queued"}, told: "foreign-gone f"},
		{name: "Test_5c_FAILED_ForeignWrite", state: inFailed, event: foreignWrite, want: conflict("queued"), told: "conflict f"},
		{name: "Test_5c_FAILED_ForeignDelete", state: inFailed, event: foreignDelete, want: files{"f": "queued"}, told: "foreign-gone f"},
		{name: "Test_5c_DELETING_ForeignWrite", state: inDeleting, event: foreignWrite, want: theirs, told: "reappeared f"},
		{name: "Test_5c_DELETING_ForeignDelete", state: inDeleting, event: foreignDelete, want: files{}, told: "removed f"},
		{name: "Test_5c_MOVING_ForeignWrite", state: inMoving, event: foreignWrite, want: files{"k2": "theirs"}},
		{name: "Test_5c_MOVING_ForeignWrite_Target", state: inMoving, event: func(c *cellRig) {
			c.mem.PutString(key("k2"), "theirs")
			c.renameFails(store.ErrChanged)
		}, want: files{"f": "base", "k2": "theirs"}},
		{name: "Test_5c_MOVING_ForeignDelete", state: inMoving, event: func(c *cellRig) {
			foreignDelete(c)
			c.renameFails(store.ErrNotExist)
		}, want: files{}, told: "removed f"},
	})
}

// renameFails lets the rename go on, which gets this error.
func (c *cellRig) renameFails(want error) {
	c.t.Helper()
	c.faults.Release()
	c.refuses(<-c.rename, want)
	c.rename = nil
}

// inReader: "f" is open for writing, nothing is written yet.
func inReader(c *cellRig) {
	inClean(c)
	c.h = c.edit(key("f"))
}

// readerIsStale: another open sees the other version, the handle from before does not write into that.
func readerIsStale(c *cellRig) {
	onWrite(c)
	_, err := c.h.WriteAt(c.t.Context(), []byte("x"), 0)
	c.refuses(err, uploader.ErrBaseLost)
}

// inDirectory: "d" with two files is being renamed to "e"; the copy of the second one is under way.
func inDirectory(c *cellRig) {
	entries := make([]uploader.DirEntry, 0, 2)
	for _, name := range []string{"d/1", "d/2"} {
		entries = append(entries, uploader.DirEntry{Key: key(name), ETag: c.mem.PutString(key(name), name), Size: 3})
	}
	c.faults.Add(faultstore.Rule{Op: op.Copy, Key: key("e/2"), Fault: faultstore.Stall()})
	outcome := make(chan error, 1)
	c.rename = outcome
	go func() { outcome <- c.u.RenameDir(context.Background(), key("d"), key("e"), entries) }()
	synctest.Wait()
}

func TestCellsOfDirectories(t *testing.T) {
	moved := files{"e/1": "d/1", "e/2": "d/2"}
	runCells(t, []cell{
		{name: "Test_5c_DIRECTORY_Kill", state: inDirectory, event: onKill, want: moved},
		{name: "Test_5c_DIRECTORY_Kill_Twice", state: synced(inDirectory), event: both(onKill, onKill), want: moved},
		{name: "Test_5c_DIRECTORY_PowerLoss", state: synced(inDirectory), event: onPowerLoss, want: moved},
		{name: "Test_5c_DIRECTORY_PowerLoss_NotSynced", state: inDirectory, event: onPowerLoss, want: files{"d/1": "d/1", "d/2": "d/2", "e/1": "d/1"}},
		{name: "Test_5c_DIRECTORY_ForeignWrite", state: inDirectory, event: func(c *cellRig) { c.mem.PutString(key("d/3"), "theirs") }, want: files{"e/1": "d/1", "e/2": "d/2", "d/3": "theirs"}},
		{name: "Test_5c_DIRECTORY_ForeignWrite_Source", state: inDirectory, event: func(c *cellRig) { c.mem.PutString(key("d/2"), "theirs") }, want: files{"e/1": "d/1", "e/2": "theirs"}},
		{name: "Test_5c_DIRECTORY_ForeignDelete", state: inDirectory, event: func(c *cellRig) {
			c.mem.Remove(key("d/2"))
			c.renameFails(store.ErrNotExist)
		}, want: files{"e/1": "d/1"}},
	})
}
