package disk_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/cache/disk"
)

// TestBlocksSurviveARestart: large and small objects are there in the next process, whole, and nobody else's.
func TestBlocksSurviveARestart(t *testing.T) {
	dir := filepath.Join(fastDir(t), "a", "cache")
	all := append(objects(200, 4000), newObject("large", 20*mib+12345), newObject("one byte", 1))
	d := open(t, config(dir))
	put(t, d, all...)
	want := sum(t, d, all)
	d.Close()
	if n := load(t, d, all[0]); n != 0 {
		t.Errorf("%d blocks from a closed store", n)
	}
	d = open(t, config(dir))
	if got := sum(t, d, all); got != want || got != 200+161+1 {
		t.Errorf("%d blocks after a restart, %d before", got, want)
	}
	if st := d.Stats(); st.Bad != 0 || st.Dropped != 0 || int64(st.Blocks) != want {
		t.Errorf("%+v", st)
	}
	for _, v := range []disk.Version{
		d.Version("large", "another etag", 20*mib+12345), d.Version("large", "etag of large", 20*mib), d.Version("larg", "eetag of large", 20*mib+12345),
	} {
		if d.Load(v, 0, false, [][]byte{make([]byte, disk.BlockSize)}, 20*mib+12345) != 0 {
			t.Error("a block of another version")
		}
	}
	d.Close()
	cfg := config(dir)
	cfg.Owner = "bucket\nsomebody else"
	if n := sum(t, open(t, cfg), all); n != 0 {
		t.Errorf("another identity sees %d blocks", n)
	}
}

// TestFilesTellNothing: neither names nor headers on the disk tell keys, and only their owner may read them.
func TestFilesTellNothing(t *testing.T) {
	dir := filepath.Join(fastDir(t), "cache")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	d := open(t, config(dir))
	put(t, d, newObject("tell-tale", 100_000))
	load(t, d, newObject("tell-tale", 100_000))
	d.Close()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if e.IsDir() {
			want = 0o700
		} else if b, err := os.ReadFile(path); err != nil || bytes.Contains(b, []byte("tell-tale")) {
			t.Errorf("%s names the object (%v)", path, err)
		}
		if info.Mode().Perm() != want || strings.Contains(path, "tell") {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestPages: single pages are kept, and pages of a block that is there are read from it, without the rest of it.
func TestPages(t *testing.T) {
	dir := fastDir(t)
	const blocks = 3
	o := newObject("o", blocks*disk.BlockSize+5000)
	size := int64(len(o.data))
	d := open(t, config(dir))
	v := o.version(d)
	done := make(chan struct{})
	for _, b := range []disk.Block{
		{Index: 1, Data: o.unit(1, false)},
		{Index: 3, Data: o.unit(3, false)},
		{Index: 7, Page: true, Data: o.unit(7, true)},
		{Index: 8, Page: true, Data: o.unit(8, true)},
	} {
		b.Version, b.Done = v, func() { done <- struct{}{} }
		if !d.Put(b, nil) {
			t.Fatal("not taken")
		}
	}
	for range 4 {
		<-done
	}
	d.Close()
	d = open(t, config(dir))
	for _, tt := range []struct {
		first int64
		ask   int
		want  int
	}{{7, 1, 1}, {7, 5, 2}, {6, 1, 0}, {32, 1, 1}, {40, 24, 24}, {40, 26, 24}, {63, 1, 1}, {64, 1, 0}, {96, 2, 2}, {97, 1, 1}, {31, 3, 0}} {
		var bufs [][]byte
		for i := range tt.ask {
			bufs = append(bufs, make([]byte, len(o.unit(tt.first+int64(i), true))))
		}
		if has := d.Has(v, tt.first, true, len(bufs[0]), size); has != (tt.want > 0) {
			t.Errorf("page %d: has = %v", tt.first, has)
		}
		got := d.Load(v, tt.first, true, bufs, size)
		if got != tt.want {
			t.Errorf("%d pages at %d: got %d, want %d", tt.ask, tt.first, got, tt.want)
		}
		for i := range got {
			if !bytes.Equal(bufs[i], o.unit(tt.first+int64(i), true)) {
				t.Errorf("page %d has wrong bytes", tt.first+int64(i))
			}
		}
	}
	if st := d.Stats(); st.Read != 4096*(1+2+1+24+24+1+1)+904+904 || st.Bad != 0 {
		t.Errorf("%+v", st)
	}
}

// TestWholeBlocksGoPastThePageCache where the file system has that; short ones never do, and what the disk is behind with.
func TestWholeBlocksGoPastThePageCache(t *testing.T) {
	cfg := config(t.TempDir())
	supported := false
	if f, err := os.OpenFile(filepath.Join(cfg.Dir, "probe"), os.O_RDWR|os.O_CREATE|unix.O_DIRECT, 0o600); err == nil {
		supported = true
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	all := append(objects(20, 100), newObject("large", mib+5), newObject("larger", 2*mib))
	d := open(t, cfg)
	put(t, d, all...)
	st := d.Stats()
	t.Logf("supported: %v; %d of %d units directly", supported, st.Direct, st.Written)
	if want := int64(8 + 16); supported && st.Direct != want || !supported && st.Direct != 0 {
		t.Errorf("%d units were written directly, want %d where it is supported (%v)", st.Direct, want, supported)
	}
	cfg.Queue = mib
	cfg.Dir = t.TempDir()
	slow := open(t, cfg)
	hold, held := make(chan struct{}), make(chan struct{}, 1)
	o := newObject("o", 8*disk.BlockSize)
	// The first is written alone; then four while seven eighths of the queue are taken, and then the last three.
	for i := range o.blocks() {
		b := disk.Block{Version: o.version(slow), Index: i, Data: o.unit(i, false), Done: func() {}}
		if i == 0 {
			b.Done = func() { held <- struct{}{}; <-hold }
		}
		if !slow.Put(b, nil) {
			t.Fatal("not taken")
		}
		if i == 0 {
			<-held
		}
	}
	close(hold)
	slow.Close()
	if st := slow.Stats(); st.Written != 8 || supported && st.Direct != 4 {
		t.Errorf("the disk is behind with 4 of 8 units: %+v", st)
	}
	d.Close()
	if n := sum(t, open(t, config(st.Dir)), all); n != blocksOf(all) {
		t.Errorf("%d of %d blocks in the next process", n, blocksOf(all))
	}
}

// TestSecondProcess goes on without; the first keeps what it has.
func TestSecondProcess(t *testing.T) {
	dir := fastDir(t)
	o := newObject("o", mib)
	d := open(t, config(dir))
	put(t, d, o)
	if _, err := disk.Open(config(dir)); !errors.Is(err, disk.ErrLocked) {
		t.Errorf("got %v", err)
	}
	if err := disk.Remove(dir); err != nil {
		t.Error(err)
	}
	if load(t, d, o) != 8 {
		t.Error("blocks are gone")
	}
	d.Close()
	if err := disk.Remove(dir); err != nil {
		t.Error(err)
	}
	if bytes, _ := used(t, dir); bytes != 0 {
		t.Errorf("%d bytes are left", bytes)
	}
	if err := disk.Remove(filepath.Join(dir, "none")); err != nil {
		t.Error(err)
	}
}

// TestOtherFormatIsEmptied: files of another version, and what is none, are removed; other names stay.
func TestOtherFormatIsEmptied(t *testing.T) {
	dir := fastDir(t)
	put(t, open(t, config(dir)), newObject("o", mib))
	other := copyDir(t, dir)
	b, err := os.ReadFile(filepath.Join(other, "00000001.pack"))
	if err != nil {
		t.Fatal(err)
	}
	b[8]++ // the version
	for name, content := range map[string][]byte{"00000001.pack": b, "00000002.pack": nil, "00000003.pack": []byte("x"), "mine": []byte("y")} {
		if err := os.WriteFile(filepath.Join(other, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := open(t, config(other))
	if st := d.Stats(); st.Bytes != 0 || st.Blocks != 0 {
		t.Errorf("%+v", st)
	}
	if bytes, files := used(t, other); bytes != 1 || files != 2 {
		t.Errorf("%d bytes in %d files are left", bytes, files)
	}
	put(t, d, newObject("o", mib))
	if load(t, d, newObject("o", mib)) != 8 {
		t.Error("nothing is kept afterwards")
	}
}

// TestManySmallFiles prints what small files cost on the disk and of memory.
func TestManySmallFiles(t *testing.T) {
	const n, size = 100_000, 4000
	cfg := config(fastDir(t))
	cfg.Size = 1 << 30
	data := make([]byte, size)
	d := open(t, cfg)
	done := make(chan struct{}, n)
	patience := time.Hour
	for i := range n {
		if !d.Put(disk.Block{Version: d.Version(fmt.Sprint("file ", i), "e", size), Data: data, Done: func() { done <- struct{}{} }}, &patience) {
			t.Fatal("not taken")
		}
	}
	for range n {
		<-done
	}
	d.Close()
	onDisk, files := used(t, cfg.Dir)
	before := heap()
	began := time.Now()
	d = open(t, cfg)
	took := time.Since(began)
	each := float64(heap()-before) / n
	t.Logf("%d files of %d bytes: %d files on the disk, %.1f bytes of overhead each, %.1f bytes of memory each, opened in %v",
		n, size, files, float64(onDisk)/n-size, each, took)
	if st := d.Stats(); st.Blocks != n || float64(onDisk)/n-size > 64 || files > 100 || each > 80 {
		t.Errorf("%+v", st)
	}
	runtime.KeepAlive(d)
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
