package crash

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/tests/rig"
)

// TestReadWhileARenameIsCarriedOn: a rename that a kill interrupts is ended by the next process; who opens the file meanwhile reads
// it, before and after its bytes have moved.
func TestReadWhileARenameIsCarriedOn(t *testing.T) {
	top := t.TempDir()
	server := rig.StartServer(t, filepath.Join(top, "data"))
	proxy := rig.StartProxy(t, server.Endpoint)
	options := []string{"--bucket", rig.Bucket, "--endpoint", proxy.Endpoint, "--path-style", "--identity-id", rig.Identity}
	m := rig.MountAt(t, top, server.Env, options...)
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	from, to := filepath.Join(m.Dir, "private", "from"), filepath.Join(m.Dir, "private", "to")
	if err := os.WriteFile(from, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, stderr, code := m.Run(t, "sync", m.Dir); code != 0 {
		t.Fatal(stderr)
	}
	trap := proxy.SetTrap(t, rig.Unsent, func(c rig.Class, _ *http.Request) bool { return c == rig.Copy })
	ended := make(chan error, 1)
	go func() { ended <- os.Rename(from, to) }()
	<-trap.Caught()
	m.Kill()
	proxy.OpenTrap()
	if err := <-ended; err == nil {
		t.Error("a rename has ended that was killed")
	}
	gate := make(chan struct{})
	proxy.SetJudge(func(r *http.Request) int {
		if rig.ClassOf(r) == rig.Copy {
			<-gate
		}
		return 0
	})
	m = rig.MountAt(t, top, server.Env, options...)
	f, err := os.Open(to)
	if err != nil {
		t.Fatal(err)
	}
	part := make([]byte, 1000)
	if _, err := f.ReadAt(part, 0); err != nil || !bytes.Equal(part, data[:1000]) {
		t.Errorf("read before: %v", err)
	}
	unread, err := os.Open(to)
	if err != nil {
		t.Fatal(err)
	}
	close(gate)
	client := server.Client(t)
	for end := time.Now().Add(time.Minute); ; <-time.After(10 * time.Millisecond) {
		if _, err := client.Head(t.Context(), "private/"+rig.Identity+"/from", store.Cond{}); err != nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the old name has not gone within a minute")
		}
	}
	for name, f := range map[string]*os.File{"partly read": f, "opened": unread} {
		got := make([]byte, len(data))
		if _, err := f.ReadAt(got, 0); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s before the move, read after it: %v", name, err)
		}
	}
	if got, err := os.ReadFile(to); err != nil || !bytes.Equal(got, data) {
		t.Errorf("read of the new name: %v", err)
	}
	if err := errors.Join(f.Close(), unread.Close()); err != nil {
		t.Error(err)
	}
	m.Unmount(t)
}
