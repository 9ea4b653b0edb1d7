package uploader_test

import (
	"errors"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// docs/UPLOADER.md, 5b: answers of the store. The state is where the request is about to be sent, the event is its answer.

// answering gives the next requests of a kind a fault and lets time pass; then looks.
func answering(kind string, times int, f faultstore.Fault, do func(*cellRig), look func(*cellRig)) func(*cellRig) {
	return func(c *cellRig) {
		c.faults.Add(faultstore.Rule{Op: kind, Key: level + "*", Count: times, Fault: f})
		do(c)
		time.Sleep(cellSettle + 1500*time.Millisecond)
		look(c)
	}
}

func nothing(*cellRig) {}

// isFailed: one thing waits for its next try, and says so.
func isFailed(c *cellRig) {
	c.t.Helper()
	if s := c.u.Status(); s.Failed != 1 || len(s.Items) == 0 || s.Items[0].Err == "" || s.Paused != nil {
		c.t.Errorf("not failed: %+v", s)
	}
}

// isPaused: the queue waits, nothing counts as failed.
func isPaused(c *cellRig) {
	c.t.Helper()
	if s := c.u.Status(); !errors.Is(s.Paused, store.ErrExpired) || len(s.Items) == 0 || s.Items[0].Attempts != 0 {
		c.t.Errorf("not paused: %+v", s)
	}
}

// isHidden: the name is not shown while its removal has failed.
func isHidden(c *cellRig) {
	c.t.Helper()
	isFailed(c)
	if i, ok := c.u.Lookup(key("f")); !ok || i.Kind != uploader.KindTombstone {
		c.t.Errorf("shown: %+v", i)
	}
}

// partly changes a part of "f" and closes it.
func partly(c *cellRig) {
	f := c.edit(key("f"))
	c.writeAt(f, "OP", 0)
	c.close(f)
}

func TestCellsOfAnswersToUploads(t *testing.T) {
	const forever = faultstore.Forever
	runCells(t, []cell{
		{name: "Test_5b_QUEUED_Pinning_200", state: inClean, event: partly, want: files{"f": "OPse"}, asks: "get f, put f"},
		{name: "Test_5b_QUEUED_Pinning_403", state: inClean, event: answering(op.Get, forever, faultstore.Denied(), partly, isFailed), want: files{"f": "OPse"}},
		{name: "Test_5b_QUEUED_Pinning_Expired", state: inClean, event: answering(op.Get, forever, faultstore.Expired(), partly, isPaused), want: files{"f": "OPse"}},
		{name: "Test_5b_QUEUED_Pinning_404_Invalid", state: inClean, event: answering(op.Get, forever, faultstore.Invalid(), partly, isFailed), want: files{"f": "OPse"}},

		{name: "Test_5b_SENDING_200", state: inClean, event: both(onWrite, noEvent), want: files{"f": "new"}, asks: "put f", told: "committed f"},
		{name: "Test_5b_SENDING_412_NobodysChange", state: inClean, event: answering(op.Put, 1, faultstore.Conflict(), onWrite, nothing), want: files{"f": "new"}, asks: "head f, put f"},
		{name: "Test_5b_SENDING_412_OfOurs", state: inClean, event: answering(op.Put, 1, faultstore.Applied(faultstore.Precondition()), onWrite, nothing), want: files{"f": "new"}, asks: "put f, head f"},
		{name: "Test_5b_SENDING_404_Invalid", state: inClean, event: answering(op.Put, forever, faultstore.Invalid(), onWrite, isFailed), want: files{"f": "new"}},

		{name: "Test_5b_UNSURE_200_Ours", state: inUnsure(true), event: nothing, want: files{"f": "queued"}, asks: "put f, head f", told: "committed f"},
		{name: "Test_5b_UNSURE_200_Base", state: inUnsure(false), event: nothing, want: files{"f": "queued"}, asks: "head f, put f"},
		{
			name: "Test_5b_UNSURE_200_Foreign", state: inUnsure(false), event: func(c *cellRig) { c.mem.PutString(key("f"), "theirs") },
			want: files{"f": "theirs", "conflict": "queued"}, told: "conflict f",
		},
		{name: "Test_5b_UNSURE_Silence", state: inUnsure(true), event: func(c *cellRig) {
			time.Sleep(time.Hour)
			isFailed(c)
			if i, _ := c.u.Lookup(key("f")); i.State != uploader.StateUnsure {
				c.t.Errorf("state %v", i.State)
			}
		}, want: files{"f": "queued"}, asks: "put f, head f"},
		{name: "Test_5b_UNSURE_403_ListDecides", state: inUnsure(true), event: headDenied(nothing), want: files{"f": "queued"}, asks: "put f, list f"},
		{name: "Test_5b_UNSURE_403_ListDecidesForTheBase", state: inUnsure(false), event: headDenied(nothing), want: files{"f": "queued"}, asks: "list f, put f"},
		{
			name: "Test_5b_UNSURE_403_ForeignOfOurLength", state: inUnsure(false),
			event: headDenied(func(c *cellRig) { c.mem.PutString(key("f"), "THEIRS"); isFailed(c) }),
			want:  files{"f": "THEIRS", "conflict": "queued"},
		},
		{name: "Test_5b_UNSURE_Expired", state: inUnsure(true), event: func(c *cellRig) {
			c.faults.EndOutage()
			c.faults.Add(faultstore.Rule{Op: op.Head, Count: 1, Fault: faultstore.Expired()})
			c.u.Retry()
			time.Sleep(100 * time.Millisecond)
			if c.u.Status().Paused == nil {
				c.t.Error("not paused")
			}
		}, want: files{"f": "queued"}, asks: "put f, head f"},
	})
	runCells(t, []cell{
		{
			name: "Test_5b_UNSURE_403_PutOnly_ResendsTheSame", state: inClean, event: answering(op.Put, 1, faultstore.Lost(), onWrite, nothing),
			want: files{"f": "new"}, asks: "put f, put f",
		},
	}, func(c *uploader.Config) { c.Levels = []uploader.Level{{Prefix: level, CanPut: true}} })
}

// headDenied ends the outage, but HEAD is refused for a while.
func headDenied(meanwhile func(*cellRig)) func(*cellRig) {
	return func(c *cellRig) {
		meanwhile(c)
		c.faults.EndOutage()
		c.faults.Add(faultstore.Rule{Op: op.Head, Count: faultstore.Forever, Fault: faultstore.Denied()})
		c.u.Retry()
		time.Sleep(10 * time.Second)
	}
}

func TestCellsOfAnswersToDeletes(t *testing.T) {
	const forever = faultstore.Forever
	runCells(t, []cell{
		{name: "Test_5b_DELETING_200", state: inClean, event: both(onUnlink, noEvent), want: files{}, asks: "delete f", told: "removed f"},
		{name: "Test_5b_DELETING_200_GoneAlready", state: inClean, event: func(c *cellRig) { onUnlink(c); c.mem.Remove(key("f")) }, want: files{}, told: "removed f"},
		{name: "Test_5b_DELETING_412_NobodysChange", state: inClean, event: answering(op.Delete, 1, faultstore.Conflict(), onUnlink, nothing), want: files{}, asks: "head f, delete f", told: "removed f"},
		{name: "Test_5b_DELETING_Silence", state: inClean, event: answering(op.Delete, forever, faultstore.InternalError(), onUnlink, isHidden), want: files{}, told: "removed f"},
		{name: "Test_5b_DELETING_Silence_Applied", state: inClean, event: answering(op.Delete, forever, faultstore.Lost(), onUnlink, nothing), want: files{}, told: "removed f"},
		{name: "Test_5b_DELETING_403_Later", state: inClean, event: answering(op.Delete, 1, faultstore.Denied(), onUnlink, nothing), want: files{"f": "base"}, told: "reappeared f"},
		{name: "Test_5b_DELETING_Expired", state: inClean, event: func(c *cellRig) {
			c.faults.Add(faultstore.Rule{Op: op.Delete, Count: forever, Fault: faultstore.Expired()})
			onUnlink(c)
			time.Sleep(500 * time.Millisecond)
			isPaused(c)
		}, want: files{}},
	})
}

func TestCellsOfAnswersToMoves(t *testing.T) {
	const forever = faultstore.Forever
	both := files{"f": "base", "g": "base"}
	moved := files{"g": "base"}
	runCells(t, []cell{
		{name: "Test_5b_MOVING_Copy_200", state: inClean, event: onRename, want: moved, asks: "copy g, delete f", told: "committed g"},
		{name: "Test_5b_MOVING_Copy_412_NobodysChange", state: inClean, event: answering(op.Copy, 1, faultstore.Conflict(), func(c *cellRig) {
			c.refuses(renameError(c), store.ErrChanged)
		}, nothing), want: files{"f": "base"}},
		{name: "Test_5b_MOVING_Copy_Silence", state: inClean, event: answering(op.Copy, 4, faultstore.InternalError(), func(c *cellRig) {
			c.refuses(renameError(c), store.ErrTransient)
		}, nothing), want: files{"f": "base"}},
		{name: "Test_5b_MOVING_Copy_Silence_Applied", state: inClean, event: answering(op.Copy, 4, faultstore.Lost(), onRename, nothing), want: moved},
		{name: "Test_5b_MOVING_Copy_Expired", state: inClean, event: answering(op.Copy, 1, faultstore.Expired(), func(c *cellRig) {
			c.refuses(renameError(c), store.ErrExpired)
		}, nothing), want: files{"f": "base"}},

		{name: "Test_5b_MOVING_Delete_200", state: inClean, event: onRename, want: moved, told: "removed f"},
		{name: "Test_5b_MOVING_Delete_412", state: inMovingDelete, event: func(c *cellRig) { c.mem.PutString(key("f"), "theirs") }, want: files{"f": "theirs", "k2": "base"}, told: "reappeared f"},
		{name: "Test_5b_MOVING_Delete_412_NobodysChange", state: inClean, event: answering(op.Delete, 1, faultstore.Conflict(), onRename, nothing), want: moved},
		{name: "Test_5b_MOVING_Delete_Silence", state: inClean, event: answering(op.Delete, forever, faultstore.InternalError(), onRename, isHidden), want: moved},
		{name: "Test_5b_MOVING_Delete_403", state: inClean, event: answering(op.Delete, 1, faultstore.Denied(), onRename, nothing), want: both, told: "reappeared f"},
		{name: "Test_5b_MOVING_Delete_Expired", state: inClean, event: func(c *cellRig) {
			c.faults.Add(faultstore.Rule{Op: op.Delete, Count: forever, Fault: faultstore.Expired()})
			onRename(c)
			time.Sleep(500 * time.Millisecond)
			isPaused(c)
		}, want: moved},
	})
}
