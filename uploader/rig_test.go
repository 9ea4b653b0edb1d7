package uploader_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/uploader"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

const level = "public/"

// rig is an uploader over a bucket in memory, whose process can be killed.
type rig struct {
	t        testing.TB
	ft       failer // ends a run that does not drain: t, or what lets rapid shrink
	mem      *memstore.Store
	store    store.Store
	config   uploader.Config
	dir      string
	boot     string
	maxBytes int64
	syncFile func(path string) error
	onSync   func(path string)
	runs     int

	sp *spool.Spool
	u  *uploader.Uploader

	mu     sync.Mutex
	events []uploader.Event
}

// failer is what rapid.T and testing.TB have in common.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

func check(t failer, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatalf("%v", err)
	}
}

func newRig(t testing.TB, mc memstore.Config, change ...func(*uploader.Config)) *rig {
	mem := memstore.New(mc)
	r := &rig{t: t, ft: t, mem: mem, store: mem, dir: fastDir(t), boot: "boot-1"}
	r.config = uploader.Config{
		Levels: []uploader.Level{{Prefix: level, CanPut: true, CanGet: true, CanList: true, CanDelete: true}},
		Host:   "host", Stamp: func(*store.Headers, time.Time) {},
	}
	for _, f := range change {
		f(&r.config)
	}
	r.open()
	return r
}

// run is a test in a bubble of its own time; the level is proved before.
func run(t *testing.T, test func(*testing.T, *rig), change ...func(*uploader.Config)) {
	t.Helper()
	runOn(t, memstore.Config{}, test, change...)
}

func runOn(t *testing.T, mc memstore.Config, test func(*testing.T, *rig), change ...func(*uploader.Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, mc, change...)
		defer r.stop()
		check(t, r.u.Prove(t.Context(), level))
		r.mem.ResetCounts()
		test(t, r)
	})
}

func (r *rig) open() {
	sp, rec, err := spool.Open(spool.Config{Dir: r.dir, Owner: "test", BootID: r.boot, MaxBytes: r.maxBytes, SyncFile: r.syncFile, OnSync: r.onSync})
	check(r.t, err)
	c := r.config
	c.Store, c.Spool, c.Recovery = r.store, sp, rec
	c.Base = base{r.store}
	c.Events = func(e uploader.Event) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.events = append(r.events, e)
	}
	u, err := uploader.New(c)
	check(r.t, err)
	r.sp, r.u = sp, u
	u.Start()
}

func (r *rig) stop() {
	r.u.Kill()
	check(r.t, r.sp.Close())
}

// crash kills the process at this moment and starts another one on what is on its disk.
func (r *rig) crash() { r.crashThen(func() {}) }

// crashThen does something between the two processes.
func (r *rig) crashThen(between func()) {
	synctest.Wait()
	r.runs++
	next := filepath.Join(fastDir(r.t), fmt.Sprint("run", r.runs))
	check(r.t, os.CopyFS(next, os.DirFS(r.dir)))
	r.stop()
	r.dir = next
	between()
	r.open()
}

// over goes on over another store, which stands before the bucket; the level is proved by it.
func (r *rig) over(s store.Store) {
	r.t.Helper()
	r.stop()
	r.store = s
	r.open()
	check(r.t, r.u.Prove(context.Background(), level))
	r.mem.ResetCounts()
}

// base reads base bytes as the cache does.
type base struct{ store.Reader }

func (b base) FetchBase(ctx context.Context, key, etag string, size int64, p []byte, off int64) error {
	return b.ReadBase(ctx, key, etag, size, p, off)
}

func (b base) ReadBase(ctx context.Context, key, etag string, _ int64, p []byte, off int64) error {
	body, _, err := b.Get(ctx, key, store.Range{Off: off, Len: int64(len(p))}, store.Cond{IfMatch: etag})
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = io.ReadFull(body, p)
	return err
}

func absent() uploader.Base { return uploader.Base{State: uploader.Absent} }

// stored is what the bucket has at a key now.
func (r *rig) stored(key string) uploader.Base {
	o, ok := r.mem.Object(key)
	if !ok {
		return absent()
	}
	return uploader.Base{
		State: uploader.Present, ETag: o.ETag, Size: int64(len(o.Data)), ModTime: o.LastModified, Headers: &o.Headers,
	}
}

func (r *rig) create(key string) *uploader.File {
	r.t.Helper()
	f, err := r.u.Open(context.Background(), key, uploader.OpenOptions{Base: r.stored(key), Truncate: true})
	check(r.t, err)
	return f
}

func (r *rig) edit(key string) *uploader.File {
	r.t.Helper()
	f, err := r.u.Open(context.Background(), key, uploader.OpenOptions{Base: r.stored(key)})
	check(r.t, err)
	return f
}

func (r *rig) writeAt(f *uploader.File, data string, off int64) {
	r.t.Helper()
	_, err := f.WriteAt(context.Background(), []byte(data), off)
	check(r.t, err)
}

func (r *rig) close(f *uploader.File) {
	r.t.Helper()
	check(r.t, f.Flush(context.Background()), f.Release(context.Background(), true))
}

// put writes and closes a file.
func (r *rig) put(key, data string) {
	r.t.Helper()
	f := r.create(key)
	r.writeAt(f, data, 0)
	r.close(f)
}

// drain lets everything reach the bucket.
func (r *rig) drain() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	left, err := r.u.Wait(ctx, "")
	for err == nil && left.Ops > 0 { // failed for now: the bubble's clock brings the next try
		time.Sleep(time.Second)
		left, err = r.u.Wait(ctx, "")
	}
	if err != nil {
		r.ft.Fatalf("drain: %v, %+v left: %+v %v", err, left, r.u.Status().Items, r.u.Dump())
	}
	synctest.Wait()
}

// bucket is keys and contents, probes excepted.
func (r *rig) bucket() map[string]string {
	m := map[string]string{}
	for k, o := range r.mem.Objects() {
		m[k] = string(o.Data)
	}
	return m
}

func (r *rig) wantBucket(want map[string]string) {
	r.t.Helper()
	got := r.bucket()
	for k, v := range want {
		if got[k] != v {
			r.t.Errorf("bucket has %q = %q, want %q", k, got[k], v)
		}
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			r.t.Errorf("bucket has %q = %q, want none", k, got[k])
		}
	}
}

func (r *rig) wantRequests(want ...string) {
	r.t.Helper()
	var got []string
	for _, q := range r.mem.Requests() {
		got = append(got, q.Op+" "+strings.TrimPrefix(q.Key, level))
	}
	if !slices.Equal(got, want) {
		r.t.Errorf("requests\n got %q\nwant %q", got, want)
	}
}

// told lists the events so far as "kind key".
func (r *rig) told() []string {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, e := range r.events {
		all = append(all, e.Kind.String()+" "+strings.TrimPrefix(e.Key, level))
	}
	return all
}

func (r *rig) wantTold(want string) {
	r.t.Helper()
	if told := r.told(); !slices.Contains(told, want) {
		r.t.Errorf("events %q, want one %q", told, want)
	}
}

func (r *rig) read(f *uploader.File) string {
	r.t.Helper()
	b := make([]byte, f.Info().Size)
	n, err := f.ReadAt(context.Background(), b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		r.t.Fatalf("read: %v", err)
	}
	return string(b[:n])
}

func key(name string) string { return level + name }

// fastDir is a directory in memory where there is one: the tests sync a lot.
func fastDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "uploader-test-") //nolint:usetesting // TempDir is on a disk
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { check(t, os.RemoveAll(dir)) })
	return dir
}

func memHeaders(v string) store.Headers {
	return store.Headers{ContentType: "text/x-test", Metadata: map[string]string{"v": v}}
}
