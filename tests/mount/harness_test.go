package mount_test

import (
	"os"
	"strings"
	"testing"

	"github.com/s3levelfs/s3levelfs/tests/mount"
)

func TestHarness(t *testing.T) {
	mount.Run(t, mount.Options{Daemon: "loopback"}, func(t *testing.T, m *mount.Mount) {
		if err := os.WriteFile(m.Path("f"), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
		table, err := os.ReadFile("/proc/self/mountinfo")
		if err != nil || !strings.Contains(string(table), m.Dir+" ") {
			t.Errorf("%s is not a mount (%v)", m.Dir, err)
		}
		var got string
		m.Call(t, "Twice", "ab", &got)
		if got != "abab" {
			t.Errorf("control answered %q", got)
		}
	})
}

// TestHarnessFails: what goes wrong in worker or daemon fails the test.
func TestHarnessFails(t *testing.T) {
	fails := func(name, daemon, says string, work func(*testing.T, *mount.Mount)) {
		t.Run(name, func(t *testing.T) {
			mount.Expect(t, mount.Options{Daemon: daemon}, work, func(out string, err error) {
				if err == nil || !strings.Contains(out, says) {
					t.Errorf("outcome %v, want one that says %q:\n%s", err, says, out)
				}
			})
		})
	}
	fails("worker", "loopback", "as planned", func(t *testing.T, _ *mount.Mount) { t.Fatal("as planned") })
	fails("no daemon", "unheard of", "unheard of", func(*testing.T, *mount.Mount) {})
	// The daemon can not unmount while a process has its directory there.
	fails("busy", "loopback", "busy", func(t *testing.T, m *mount.Mount) {
		must(t, m.Command(t.Context(), "", "sh", "-c", "sleep 60 >/dev/null 2>&1 &").Run())
	})
}
