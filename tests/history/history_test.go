package history_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/tests/history"
	"github.com/s3levelfs/s3levelfs/uploader"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

const (
	level  = "public/"
	rounds = 150 // in CI; S3LEVELFS_HISTORY is a duration instead
)

// TestHistory accounts for the writes of two uploaders and a direct writer on one bucket in memory.
func TestHistory(t *testing.T) {
	var sum history.Counts
	enough := func(n int) bool { return n >= rounds }
	seed := uint64(1)
	if text := os.Getenv("S3LEVELFS_HISTORY"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		enough = func(int) bool { return time.Since(began) > d }
		seed = rand.Uint64()
	}
	n := 0
	for ; !enough(n) && !t.Failed(); n++ {
		synctest.Test(t, func(t *testing.T) { sum.Add(round(t, seed+uint64(n))) })
	}
	t.Logf("%d histories: %+v", n, sum)
	if sum.Stored*sum.Superseded*sum.Overwritten*sum.BaseLost == 0 {
		t.Errorf("not all that may become of a write has been seen: %+v", sum)
	}
}

// bucket is the store that all share: a change and the note of what it made are one.
type bucket struct {
	*memstore.Store

	mu       sync.Mutex
	versions map[string]string // bytes by ETag
}

func (b *bucket) note(key string, res store.PutResult, err error) (store.PutResult, error) {
	if o, ok := b.Object(key); err == nil && ok {
		b.versions[o.ETag] = string(o.Data)
	}
	return res, err
}

// Put notes what it made.
func (b *bucket) Put(ctx context.Context, key string, body *io.SectionReader, h store.Headers, c store.Cond) (store.PutResult, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	res, err := b.Store.Put(ctx, key, body, h, c)
	return b.note(key, res, err)
}

// Complete notes what it made.
func (b *bucket) Complete(ctx context.Context, key, id string, parts []store.Part, c store.Cond) (store.PutResult, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	res, err := b.Store.Complete(ctx, key, id, parts, c)
	return b.note(key, res, err)
}

// replace is the direct writer's unconditional PUT.
func (b *bucket) replace(h *history.History, key, data string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	was, _ := b.Object(key)
	h.Replaced(string(was.Data), data)
	b.versions[b.PutString(key, data)] = data
}

func (b *bucket) bytes(etag string) (string, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	data, ok := b.versions[etag]
	return data, ok
}

// mount is one uploader with a spool of its own.
type mount struct {
	t      *testing.T
	name   string
	dir    string
	rnd    *rand.Rand
	bucket *bucket
	faults *faultstore.Store
	log    *history.History

	up    *uploader.Uploader
	spool *spool.Spool
	bytes map[string]string // by generation

	mu    sync.Mutex
	known map[string]uploader.Base
}

// round is one history.
func round(t *testing.T, seed uint64) history.Counts {
	h := history.New()
	b := &bucket{Store: memstore.New(memstore.Config{MinPart: 1}), versions: map[string]string{}}
	var mounts []*mount
	for i, name := range []string{"A", "B"} {
		m := &mount{
			t: t, name: name, dir: fastDir(t), rnd: rand.New(rand.NewPCG(seed, uint64(i))), bucket: b, faults: faultstore.New(b),
			log: h, bytes: map[string]string{}, known: map[string]uploader.Base{},
		}
		m.start()
		mounts = append(mounts, m)
	}
	var wg sync.WaitGroup
	for _, m := range mounts {
		wg.Go(func() {
			for range 25 {
				m.step()
			}
		})
	}
	raw := rand.New(rand.NewPCG(seed, 9))
	wg.Go(func() {
		for range 10 {
			time.Sleep(time.Duration(raw.IntN(3000)) * time.Millisecond)
			b.replace(h, anyKey(raw), h.Tag("raw"))
		}
	})
	wg.Wait()
	lost := map[string]bool{}
	for _, m := range mounts {
		m.drain()
		for _, q := range m.up.Status().Quarantined {
			lost[q.Gen] = q.BaseLost && q.Size > 0
		}
		m.stop()
	}
	objects := map[string]string{}
	for k, o := range b.Objects() {
		objects[k] = string(o.Data)
	}
	counts, wrong := h.Judge(objects, func(w history.Write) bool { return w.Gen != "" && lost[w.Gen] })
	if len(wrong) > 0 {
		t.Errorf("seed %d:\n%s\nbucket %q\nwrites\n%s", seed, strings.Join(wrong, "\n"), objects, strings.Join(h.Dump(), "\n"))
	}
	return counts
}

func anyKey(rnd *rand.Rand) string { return fmt.Sprint(level, "f", rnd.IntN(3)) }

func (m *mount) check(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Errorf("mount %s: %v", m.name, err)
	}
}

func (m *mount) start() {
	sp, rec, err := spool.Open(spool.Config{Dir: m.dir, Owner: m.name, BootID: "boot"})
	m.check(err)
	up, err := uploader.New(uploader.Config{
		Store: m.faults, Spool: sp, Recovery: rec, Base: reader{m.faults}, Host: m.name, PartSize: 48,
		Levels: []uploader.Level{{Prefix: level, CanPut: true, CanGet: true, CanList: true, CanDelete: true}},
		Stamp:  func(*store.Headers, time.Time) {}, Events: m.hear,
	})
	m.check(err)
	m.spool, m.up = sp, up
	up.Start()
	_ = up.Prove(context.Background(), level)
}

// stop ends the process; what is not sent stays in its spool.
func (m *mount) stop() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, _ = m.up.Close(ctx)
	m.check(m.spool.Close())
}

// hear is how the mount learns what it has made.
func (m *mount) hear(e uploader.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch e.Kind {
	case uploader.Committed:
		m.known[e.Key] = uploader.Base{State: uploader.Present, ETag: e.ETag, Size: e.Size}
	case uploader.Conflict, uploader.BaseLost, uploader.ForeignGone:
		delete(m.known, e.Key)
	default:
	}
}

// reader reads base bytes as the cache does.
type reader struct{ store.Reader }

// ReadBase implements uploader.BaseReader.
func (r reader) FetchBase(ctx context.Context, key, etag string, size int64, p []byte, off int64) error {
	return r.ReadBase(ctx, key, etag, size, p, off)
}

func (r reader) ReadBase(ctx context.Context, key, etag string, _ int64, p []byte, off int64) error {
	body, _, err := r.Get(ctx, key, store.Range{Off: off, Len: int64(len(p))}, store.Cond{IfMatch: etag})
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	_, err = io.ReadFull(body, p)
	return err
}

// step is one thing that a mount does or that happens to it.
func (m *mount) step() {
	m.pause()
	switch n := m.rnd.IntN(20); {
	case n < 8:
		m.write(false)
	case n < 16:
		m.write(true)
	case n == 16:
		m.stop()
		m.start()
	case n == 17:
		m.faults.Add(faultstore.Rule{Op: faultstore.AnyWrite, Count: 1 + m.rnd.IntN(5), Fault: faultstore.Lost()})
	case n == 18:
		m.faults.StartOutage(faultstore.Reset())
	default:
		m.faults.EndOutage()
	}
}

// pause is shorter than a settle time, or much longer.
func (m *mount) pause() {
	time.Sleep(time.Duration(m.rnd.IntN([]int{20, 300, 3000}[m.rnd.IntN(3)])) * time.Millisecond)
}

// base is what the mount knows of a key: what it has heard last, or what is there now.
func (m *mount) base(key string) uploader.Base {
	m.mu.Lock()
	defer m.mu.Unlock()
	if b, ok := m.known[key]; ok && m.rnd.IntN(3) > 0 {
		return b
	}
	b := uploader.Base{State: uploader.Absent}
	if o, ok := m.bucket.Object(key); ok {
		b = uploader.Base{State: uploader.Present, ETag: o.ETag, Size: int64(len(o.Data)), Headers: &o.Headers}
	}
	m.known[key] = b
	return b
}

// write replaces a file, or appends to it, and closes it.
func (m *mount) write(whole bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	w := history.Write{Writer: m.name, Key: anyKey(m.rnd)}
	f, err := m.up.Open(ctx, w.Key, uploader.OpenOptions{Base: m.base(w.Key)})
	if err != nil {
		return
	}
	known := true
	switch i := f.Info(); {
	case i.Size == 0: // new
	case i.Gen != "":
		w.Base, known = m.bytes[i.Gen]
	case i.Base.State == uploader.Present:
		w.Base, known = m.bucket.bytes(i.Base.ETag)
	}
	w.Bytes = m.log.Tag(m.name)
	if !whole || !known {
		m.pause()
	}
	if known {
		err = m.change(ctx, f, &w, whole)
	}
	if flushed := f.Flush(ctx); err == nil && known {
		w.Acked = flushed == nil
		m.log.Wrote(w)
	}
	_ = f.Release(ctx, true)
}

func (m *mount) change(ctx context.Context, f *uploader.File, w *history.Write, whole bool) error {
	off := 0
	if whole {
		if err := f.Truncate(ctx, 0); err != nil {
			return err
		}
	} else {
		off, w.Bytes = len(w.Base), w.Base+w.Bytes
	}
	if _, err := f.WriteAt(ctx, []byte(w.Bytes[off:]), int64(off)); err != nil {
		return err
	}
	w.Gen = f.Info().Gen
	m.bytes[w.Gen] = w.Bytes
	m.pause()
	return nil
}

// drain lets everything reach the bucket.
func (m *mount) drain() {
	m.faults.Clear()
	m.faults.EndOutage()
	m.faults.Release()
	m.up.Retry()
	for range 100 {
		left, err := m.up.Wait(context.Background(), "")
		if err == nil && left.Ops == 0 {
			break
		}
		time.Sleep(time.Minute)
	}
	if s := m.up.Status(); len(s.Items) > 0 {
		m.t.Errorf("mount %s: still pending %+v", m.name, s.Items)
	}
}

// fastDir is a directory in memory where there is one.
func fastDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "history-test-") //nolint:usetesting // TempDir is on a disk
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "spool")
}
