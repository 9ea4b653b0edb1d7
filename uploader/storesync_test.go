package uploader_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// diskStore is a bucket on this machine's disk: a power loss takes what was written since the last Sync.
type diskStore struct {
	*memstore.Store

	mu    sync.Mutex
	disk  map[string]memstore.Raw
	syncs int
	fail  error         // of the next Sync, which loses what it was to write
	gate  chan struct{} // a Sync waits for it; nil: it does not
	takes time.Duration
	deaf  bool // a Sync does not end with its context, as syncfs(2)
}

func (d *diskStore) Limits() store.Limits {
	l := d.Store.Limits()
	l.NeedsSync = true
	return l
}

func (d *diskStore) Sync(ctx context.Context) error {
	d.mu.Lock()
	now, gate, fail, deaf := d.Objects(), d.gate, d.fail, d.deaf
	d.syncs++
	d.fail = nil
	d.mu.Unlock()
	if deaf {
		ctx = context.WithoutCancel(ctx)
	}
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	time.Sleep(d.takes)
	if fail != nil {
		return fail
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.disk = now
	return nil
}

// close lets no Sync end until the gate is opened.
func (d *diskStore) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gate = make(chan struct{})
}

func (d *diskStore) open() {
	d.mu.Lock()
	defer d.mu.Unlock()
	close(d.gate)
	d.gate = nil
}

// lose is a power loss.
func (d *diskStore) lose() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.Remove(d.Keys()...)
	for k, o := range d.disk {
		d.PutRaw(k, o)
	}
}

// onDisk runs a test on such a store; "old" is in it.
func onDisk(t *testing.T, test func(*testing.T, *rig, *diskStore), change ...func(*uploader.Config)) {
	t.Helper()
	runOn(t, memstore.Config{MinPart: 1}, func(t *testing.T, r *rig) {
		d := &diskStore{Store: r.mem}
		r.stop()
		r.store = d
		r.open()
		check(t, r.u.Prove(t.Context(), level))
		r.mem.PutString(key("old"), "old")
		check(t, d.Sync(t.Context()))
		r.mem.ResetCounts()
		d.syncs = 0
		test(t, r, d)
	}, change...)
}

// What the log calls committed is on the store's disk.
func TestPowerLossOfTheStoreKeepsWhatIsCommitted(t *testing.T) {
	for _, size := range []int{4, 100} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			onDisk(t, func(_ *testing.T, r *rig, d *diskStore) {
				data := string(make([]byte, size))
				d.close()
				r.put(key("f"), data)
				r.put(key("old"), data)
				time.Sleep(time.Minute) // the spool syncs its log meanwhile
				d.lose()
				r.crash()
				d.open()
				r.drain()
				r.wantBucket(map[string]string{key("f"): data, key("old"): data})
			}, func(c *uploader.Config) { c.PartSize = 64 })
		})
	}
}

func TestPowerLossOfTheStoreKeepsWhatIsMoved(t *testing.T) {
	onDisk(t, func(t *testing.T, r *rig, d *diskStore) {
		d.close()
		outcome := make(chan error, 1)
		go func() {
			outcome <- r.u.Rename(context.Background(), key("old"), key("new"), r.stored(key("old")), absent(), false)
		}()
		time.Sleep(time.Minute)
		if n := r.mem.Counts()[op.Delete]; n != 0 {
			t.Errorf("%d deletes before the copy is safe", n)
		}
		d.lose()
		r.crash()
		if err := <-outcome; !errors.Is(err, uploader.ErrClosed) && !errors.Is(err, spool.ErrClosed) {
			t.Errorf("rename: %v", err)
		}
		d.open()
		r.drain()
		r.wantBucket(map[string]string{key("new"): "old"})
	})
}

func TestPowerLossOfTheStoreKeepsWhatIsRenamedBeforeItsUpload(t *testing.T) {
	onDisk(t, func(t *testing.T, r *rig, d *diskStore) {
		d.close()
		r.put(key("old"), "changed")
		r.rename(key("old"), key("new"))
		time.Sleep(time.Minute)
		if n := r.mem.Counts()[op.Delete]; n != 0 {
			t.Errorf("%d deletes before the new name is safe", n)
		}
		d.lose()
		r.crash()
		d.open()
		r.drain()
		r.wantBucket(map[string]string{key("new"): "changed"})
	})
}

func TestPowerLossOfTheStoreBringsNothingBack(t *testing.T) {
	onDisk(t, func(t *testing.T, r *rig, d *diskStore) {
		check(t, r.u.Mkdir(t.Context(), key("d"), memHeaders("d")))
		r.drain()
		r.mem.PutString(key("old2"), "old")
		check(t, d.Sync(t.Context()))
		d.close()
		r.remove(key("old"))
		r.remove(key("old2"))
		check(t, r.u.Rmdir(t.Context(), key("d"), r.stored(key("d/"))))
		time.Sleep(time.Minute)
		d.lose()
		r.crash()
		d.open()
		r.drain()
		r.wantBucket(map[string]string{})
	})
}

func TestPowerLossOfTheStoreKeepsHeaders(t *testing.T) {
	onDisk(t, func(t *testing.T, r *rig, d *diskStore) {
		d.close()
		check(t, r.u.SetHeaders(t.Context(), key("old"), r.stored(key("old")), memHeaders("1")))
		time.Sleep(time.Minute)
		d.lose()
		r.crash()
		d.open()
		r.drain()
		if got := r.stored(key("old")).Headers.Metadata["v"]; got != "1" {
			t.Errorf("header is %q", got)
		}
	})
}

// One sync of the store is for all that has ended since the last one began.
func TestStoreIsSyncedForManyAtOnce(t *testing.T) {
	onDisk(t, func(t *testing.T, r *rig, d *diskStore) {
		d.takes = time.Second
		const n = 500
		want := map[string]string{key("old"): "old"}
		for i := range n {
			r.put(key(fmt.Sprint(i)), "x")
			want[key(fmt.Sprint(i))] = "x"
		}
		began := time.Now()
		r.drain()
		r.wantBucket(want)
		if d.syncs > 10 || time.Since(began) > 10*time.Second {
			t.Errorf("%d syncs in %v", d.syncs, time.Since(began))
		}
	})
}

// A sync that fails may have lost anything: the bytes are written again, they are still in the spool.
func TestFailedSyncOfTheStoreSendsAgain(t *testing.T) {
	onDisk(t, func(t *testing.T, r *rig, d *diskStore) {
		d.fail = errors.New("input/output error")
		r.put(key("f"), "data")
		time.Sleep(500 * time.Millisecond)
		if s := r.u.Status(); s.Failed != 1 {
			t.Errorf("status %+v", s)
		}
		d.lose() // what the failed sync was to write never comes
		r.drain()
		r.wantBucket(map[string]string{key("f"): "data", key("old"): "old"})
		r.mem.ResetCounts()
		d.fail = errors.New("input/output error")
		r.put(key("g"), "data")
		r.drain()
		if n := r.mem.Counts()[op.Put]; n != 2 {
			t.Errorf("requests %v", r.mem.Requests())
		}
		d.lose()
		r.wantBucket(map[string]string{key("f"): "data", key("g"): "data", key("old"): "old"})
	})
}

// A store whose disk hangs does not keep the program from ending.
func TestCloseWithAHangingStoreSync(t *testing.T) {
	onDisk(t, func(t *testing.T, r *rig, d *diskStore) {
		r.put(key("f"), "data")
		r.drain()
		hang := make(chan struct{})
		d.mu.Lock()
		d.gate, d.deaf = hang, true
		d.mu.Unlock()
		defer close(hang)
		r.put(key("g"), "data")
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		left, err := r.u.Close(ctx)
		if left != 1 || !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 20*time.Second {
			t.Errorf("close: %d left, %v, after %v", left, err, time.Since(began))
		}
		synctest.Wait()
	})
}

// Copied parts that the store may have lost are sent again, from what it shows of the first attempt.
func TestFailedSyncOfTheStoreAfterCopies(t *testing.T) {
	onDisk(t, func(t *testing.T, r *rig, d *diskStore) {
		r.mem.PutString(key("f"), bigs)
		check(t, d.Sync(t.Context()))
		d.fail = errors.New("I/O error")
		f := r.edit(key("f"))
		r.writeAt(f, "X", 7)
		r.close(f)
		r.drain()
		d.lose()
		r.wantBucket(map[string]string{key("f"): patch(bigs, "X", 7), key("old"): "old"})
		if n := r.mem.Counts()[op.Complete]; n != 2 {
			t.Errorf("completed %d times", n)
		}
	}, func(c *uploader.Config) { c.PartSize, c.PinBase = part, part })
}
