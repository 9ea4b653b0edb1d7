package mount_test

import (
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/tests/mount"
)

// asked is what the kernel asks the daemon for while f runs, without zeros.
func asked(t *testing.T, m *mount.Mount, f func()) map[string]int64 {
	t.Helper()
	var before, after map[string]int64
	m.Call(t, "Kernel", struct{}{}, &before)
	f()
	m.Call(t, "Kernel", struct{}{}, &after)
	for kind, n := range after {
		if after[kind] = n - before[kind]; after[kind] == 0 {
			delete(after, kind)
		}
	}
	return after
}

// slow is a time to live that no test outlasts.
func slow() mount.Options {
	return mount.Options{Daemon: daemonName, Args: mount.StackOptions{MetadataTTL: time.Hour}}
}

// TestKernelRequests: a small file that is read costs a lookup, an open and a read, and again the open alone.
func TestKernelRequests(t *testing.T) {
	mount.Run(t, slow(), func(t *testing.T, m *mount.Mount) {
		const files = 20
		for i := range files {
			m.Call(t, "Put", mount.Object{Key: fmt.Sprintf("public/f%02d", i), Data: []byte("content")}, &struct{}{})
		}
		_, err := os.Stat(m.Path("public"))
		must(t, err)
		read := func() {
			for i := range files {
				fd, err := unix.Open(m.Path("public", fmt.Sprintf("f%02d", i)), unix.O_RDONLY, 0)
				must(t, err)
				buf := make([]byte, 100)
				if n, err := unix.Read(fd, buf); err != nil || string(buf[:n]) != "content" {
					t.Errorf("%q, %v", buf[:max(n, 0)], err)
				}
				must(t, unix.Close(fd))
			}
		}
		want := map[string]int64{"lookup": files, "open": files, "read": files}
		if diff := cmp.Diff(want, asked(t, m, read)); diff != "" {
			t.Errorf("first (-want +got): %s", diff)
		}
		if diff := cmp.Diff(map[string]int64{"open": files}, asked(t, m, read)); diff != "" {
			t.Errorf("again (-want +got): %s", diff)
		}
		change := func() {
			fd, err := unix.Open(m.Path("public", "f00"), unix.O_RDWR, 0)
			must(t, err)
			_, err = unix.Write(fd, []byte("C"))
			must(t, err)
			must(t, unix.Close(fd))
		}
		if got := asked(t, m, change); got["flush"] != 1 || got["write"] != 1 {
			t.Errorf("a writer: %v", got)
		}
	})
}

// TestWarmReadIsTheKernels: what is in the page cache is read without a request to the daemon, however large.
func TestWarmReadIsTheKernels(t *testing.T) {
	mount.Run(t, slow(), func(t *testing.T, m *mount.Mount) {
		const size = 256 << 20
		m.Call(t, "PutZeros", mount.Object{Key: "public/large", Size: size}, &struct{}{})
		read := func() {
			f, err := os.Open(m.Path("public", "large"))
			must(t, err)
			n, err := io.Copy(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{f})
			must(t, err)
			must(t, f.Close())
			if n != size {
				t.Errorf("%d bytes", n)
			}
		}
		if got := asked(t, m, read); got["read"] < size>>20 || got["read"] > size>>20*5/4 { // requests of 1 MiB
			t.Errorf("cold: %v", got)
		}
		warm := asked(t, m, read)
		for range 5 { // what the kernel itself has given up meanwhile is asked for, and then the kernel's again
			if warm["read"] == 0 {
				break
			}
			t.Logf("warm: %v", warm)
			warm = asked(t, m, read)
		}
		if diff := cmp.Diff(map[string]int64{"open": 1}, warm); diff != "" {
			t.Errorf("warm (-want +got): %s", diff)
		}
	})
}

// TestWhatWasWrittenIsTheKernels: a file that was just written is read from the page cache, before its upload and after.
func TestWhatWasWrittenIsTheKernels(t *testing.T) {
	mount.Run(t, slow(), func(t *testing.T, m *mount.Mount) {
		path, data := m.Path("private", "f"), pattern(8<<20+100, 4)
		write(t, path, data)
		for _, when := range []string{"pending", "stored"} {
			got := asked(t, m, func() { wantContent(t, path, data) })
			if got["read"] > 1 { // the last page is not whole
				t.Errorf("%s: %v", when, got)
			}
			m.Call(t, "Drain", struct{}{}, &struct{}{})
		}
	})
}

// TestListingIsTheKernels: a directory that was listed is listed again without a READDIR, until a program on the mount changes it, the
// listing's time is over, or somebody tells of a change; names are right each time, also in the middle of removals.
func TestListingIsTheKernels(t *testing.T) {
	o := mount.Options{Daemon: daemonName, Args: mount.StackOptions{MetadataTTL: 2 * time.Second}}
	mount.Run(t, o, func(t *testing.T, m *mount.Mount) {
		const files = 3000
		want := map[string]bool{}
		for i := range files {
			name := fmt.Sprintf("file-with-a-name-%04d", i)
			want[name] = true
			m.Call(t, "Put", mount.Object{Key: "public/d/" + name, Data: []byte("x")}, &struct{}{})
		}
		dir := m.Path("public", "d")
		list := func() {
			t.Helper()
			entries, err := os.ReadDir(dir)
			must(t, err)
			got := map[string]bool{}
			for _, e := range entries {
				if got[e.Name()] {
					t.Errorf("%s is there twice", e.Name())
				}
				got[e.Name()] = true
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("names (-want +got): %.500s", diff)
			}
		}
		if got := asked(t, m, list); got["readdir"] == 0 {
			t.Errorf("first: %v", got)
		}
		again := func() bool { return asked(t, m, list)["readdir"] == 0 }
		eventually(t, "a listing that the kernel has", func() bool { list(); return again() })

		must(t, os.WriteFile(m.Path("public", "d", "new"), []byte("x"), 0o644))
		want["new"] = true
		list()
		must(t, os.Rename(m.Path("public", "d", "new"), m.Path("public", "d", "a-new-name")))
		delete(want, "new")
		want["a-new-name"] = true
		list()
		m.Call(t, "Put", mount.Object{Key: "public/d/foreign", Data: []byte("x")}, &struct{}{})
		want["foreign"] = true
		eventually(t, "what somebody else has put there", func() bool {
			_, err := os.Stat(m.Path("public", "d", "foreign"))
			entries, err2 := os.ReadDir(dir)
			must(t, err2)
			return err == nil && len(entries) == len(want)
		})
		list()

		// Removals while the kernel's cache of the names is read, as by rm -r: each is found once.
		list()
		f, err := os.Open(dir)
		must(t, err)
		defer f.Close()
		for {
			names, err := f.Readdirnames(100)
			if err == io.EOF {
				break
			}
			must(t, err)
			for _, name := range names {
				must(t, os.Remove(m.Path("public", "d", name)))
				delete(want, name)
			}
		}
		if len(want) > 0 {
			t.Errorf("%d names were not given", len(want))
		}
		list()
	})
}

// TestListingOfForeignFiles: where listings are not believed at all, what somebody else puts into a directory is there at once, however
// often it was listed before.
func TestListingOfForeignFiles(t *testing.T) {
	o := mount.Options{Daemon: daemonName, Args: mount.StackOptions{MetadataTTL: 1}}
	mount.Run(t, o, func(t *testing.T, m *mount.Mount) {
		dir := m.Path("public", "d")
		must(t, os.Mkdir(dir, 0o755))
		for n := range 4 {
			for range 3 {
				if got := names(t, dir); len(got) != n {
					t.Errorf("%d names, want %d", len(got), n)
				}
			}
			m.Call(t, "Put", mount.Object{Key: fmt.Sprintf("public/d/f%d", n), Data: []byte("x")}, &struct{}{})
		}
	})
}
