package vfs_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/cache"
	"github.com/s3levelfs/s3levelfs/fs/vfs"
	"github.com/s3levelfs/s3levelfs/fs/vfs/attrs"
	"github.com/s3levelfs/s3levelfs/fs/vfs/listing"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/uploader"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// tb is what *testing.T and *rapid.T share.
type tb interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
	Logf(format string, args ...any)
}

const ownID = "us-east-1:11111111-2222-3333-4444-555555555555"

// envConfig is what tests vary.
type envConfig struct {
	forgets bool // what was uploaded is not kept in the cache: reads ask the store

	mem       *memstore.Store // nil = a new one
	memory    memstore.Config
	identity  levels.Identity
	options   levels.Options
	vfs       vfs.Config
	ttl       time.Duration // of listings; 0 = an hour
	settle    time.Duration // 0 = none
	log       *zap.Logger
	event     func(uploader.Event)          // is called before an event is told; nil = nothing
	presigner vfs.Presigner                 // nil = none
	wrap      func(store.Store) store.Store // what is seen of the bucket; nil = as it is
}

// env is one mount without a kernel, with all its real parts on a store in memory.
type env struct {
	cfg envConfig
	dir string
	mem *memstore.Store

	fs      *vfs.FS
	policy  *levels.Policy
	up      *uploader.Uploader
	spool   *spool.Spool
	cache   *cache.Cache
	listing *listing.Index
	attrs   *attrs.Index
}

func newEnv(t tb, cfg envConfig) *env {
	t.Helper()
	if cfg.identity.ID == "" && !cfg.identity.Authenticated {
		cfg.identity = levels.Identity{ID: ownID, Authenticated: true}
	}
	if cfg.ttl == 0 {
		cfg.ttl = time.Hour
	}
	if cfg.settle == 0 {
		cfg.settle = -1
	}
	e := &env{cfg: cfg, mem: cfg.mem}
	if e.mem == nil {
		e.mem = memstore.New(cfg.memory)
	}
	dir, err := os.MkdirTemp("", "vfs-test-*")
	must(t, err)
	e.dir = dir
	e.start(t)
	return e
}

func (e *env) start(t tb) {
	t.Helper()
	var err error
	e.policy, err = levels.New(e.cfg.identity, e.cfg.options)
	must(t, err)
	sp, recovery, err := spool.Open(spool.Config{Dir: filepath.Join(e.dir, "spool")})
	must(t, err)
	e.spool = sp
	st := store.Store(e.mem)
	if e.cfg.wrap != nil {
		st = e.cfg.wrap(st)
	}
	e.cache = cache.New(st, cache.Config{})
	e.listing = listing.New(st, listing.Config{TTL: e.cfg.ttl})
	e.attrs = attrs.New(st, attrs.Config{
		Dir: filepath.Join(e.dir, "attrs"), Own: vfs.OwnKeys(e.policy), MetadataTTL: e.cfg.ttl,
	})
	e.up, err = uploader.New(uploader.Config{
		Store: st, Spool: sp, Recovery: recovery, Base: vfs.NewBase(e.cache), Stored: e.stored(), Levels: vfs.WriteLevels(e.policy),
		Events: func(ev uploader.Event) {
			if e.cfg.event != nil {
				e.cfg.event(ev)
			}
			e.fs.Event(ev)
		}, Stamp: vfs.Stamp, Settle: e.cfg.settle,
		TempSettle: max(e.cfg.settle, time.Millisecond), Log: e.cfg.log,
	})
	must(t, err)
	c := e.cfg.vfs
	c.TempDir, c.Log = e.dir, e.cfg.log
	e.fs, err = vfs.New(vfs.Deps{
		Policy: e.policy, Store: st, Uploader: e.up, Cache: e.cache, Listing: e.listing, Attrs: e.attrs, Presigner: e.cfg.presigner,
	}, c)
	must(t, err)
	e.up.Start()
}

func (e *env) stored() func(key, etag string, content *io.SectionReader) {
	if e.cfg.forgets {
		return nil
	}
	return vfs.Keep(e.cache)
}

// stop ends the mount. A crash gives it no time to send anything: what was closed
// is in the spool.
func (e *env) stop(t tb, crash bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	if crash {
		cancel()
	}
	_, err := e.up.Close(ctx)
	cancel()
	if err != nil && !crash {
		t.Errorf("close of the uploader: %v", err)
	}
	e.fs.Close()
	e.cache.Close()
	e.listing.Close()
	e.attrs.Close()
	must(t, e.spool.Close())
}

func (e *env) reopen(t tb, crash bool) {
	t.Helper()
	e.stop(t, crash)
	e.start(t)
}

func (e *env) close(t tb) {
	t.Helper()
	e.stop(t, false)
	must(t, os.RemoveAll(e.dir))
}

// drain waits until everything is in the bucket.
func (e *env) drain(t tb) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	left, err := e.up.Wait(ctx, "")
	if err != nil || left.Ops > 0 {
		t.Fatalf("drain: %+v, %v: %+v", left, err, e.up.Status().Items)
	}
	e.fs.Settle(ctx)
}

// objects is the bucket.
func (e *env) objects(t tb) map[string]string {
	t.Helper()
	out := map[string]string{}
	for key, raw := range e.mem.Objects() {
		out[key] = string(raw.Data)
	}
	return out
}

// put is another application.
func (e *env) put(t tb, key string, data []byte) {
	t.Helper()
	e.mem.PutString(key, string(data))
}

// age makes every listing old, as time would.
func (e *env) age(t tb) {
	t.Helper()
	for _, dir := range e.dirs() {
		e.listing.Forget(dir)
	}
}

// dirs are all prefixes that any key of the bucket has.
func (e *env) dirs() []string {
	seen := map[string]bool{"public/": true, "private/" + ownID + "/": true, "protected/": true, "protected/" + ownID + "/": true}
	for key := range e.mem.Objects() {
		for i, c := range key {
			if c == '/' {
				seen[key[:i+1]] = true
			}
		}
	}
	out := make([]string, 0, len(seen))
	for d := range seen {
		out = append(out, d)
	}
	return out
}

func must(t tb, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v", err)
	}
}

func wantErrno(t tb, err error, want syscall.Errno) {
	t.Helper()
	var got syscall.Errno
	if !errors.As(err, &got) || got != want {
		t.Fatalf("error %v, want %v", err, want)
	}
}

func readHandle(t tb, h *vfs.Handle) []byte {
	t.Helper()
	var out []byte
	buf := make([]byte, 50_000)
	for {
		n, err := h.ReadAt(context.Background(), buf, int64(len(out)))
		must(t, err)
		out = append(out, buf[:n]...)
		if n < len(buf) {
			return out
		}
	}
}

func readFile(t tb, f *vfs.FS, path string) []byte {
	t.Helper()
	h, err := f.Open(context.Background(), path, syscall.O_RDONLY)
	must(t, err)
	defer func() { must(t, h.Release(context.Background())) }()
	return readHandle(t, h)
}

// writeFile is what cp does.
func writeFile(t tb, f *vfs.FS, path string, data []byte) {
	t.Helper()
	ctx := context.Background()
	h, _, err := f.Create(ctx, path, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_TRUNC, 0o644)
	must(t, err)
	if len(data) > 0 {
		n, err := h.WriteAt(ctx, data, 0)
		must(t, err)
		if n != len(data) {
			t.Fatalf("%v", io.ErrShortWrite)
		}
	}
	must(t, h.Flush(ctx))
	must(t, h.Release(ctx))
}

func bg() context.Context { return context.Background() }

// lastRequests helps to read a failure.
func (e *env) lastRequests() []string {
	var out []string
	all := e.mem.Requests()
	for _, r := range all[max(0, len(all)-25):] {
		out = append(out, r.String()+"\n")
	}
	return out
}
