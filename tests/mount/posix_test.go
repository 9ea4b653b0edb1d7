package mount_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/hanwen/go-fuse/v2/posixtest"

	"github.com/s3levelfs/s3levelfs/tests/mount"
)

// deviations are the tests of posixtest that can not pass here, with what they
// say then. An object has one name, so there are no links; metadata of S3 ends
// at 2 KiB.
func deviations() map[string]string {
	return map[string]string{
		"Link":             "operation not permitted",
		"LinkUnlinkRename": "operation not permitted",
		"RenameOpenDir":    "Fstat failed: stale file handle", // an open directory that was replaced
		"Tmpfile":          "FS does not support O_TMPFILE: operation not supported",
		"XAttrLarge":       "backing filesystem does not support large xattrs",
		// This one expects two descriptors of one process to exclude each other,
		// which fcntl(2) says they do not; it fails on ext4 as well.
		"FcntlFlockLocksFile": "FcntlFlock returned <nil>, expected EAGAIN",
	}
}

// TestPosix runs go-fuse's conformance tests on both stores.
func TestPosix(t *testing.T) {
	for _, daemon := range []string{daemonName, "local"} {
		t.Run(daemon, func(t *testing.T) {
			mount.Run(t, mount.Options{Daemon: daemon}, func(t *testing.T, m *mount.Mount) {
				for _, name := range slices.Sorted(maps.Keys(posixtest.All)) {
					if _, ok := deviations()[name]; !ok { // else: TestPosixDeviations
						t.Run(name, func(t *testing.T) { conform(t, name, m.Path("private", name)) })
					}
				}
			})
		})
	}
}

// conform runs one test, which may not skip itself.
func conform(t *testing.T, name, dir string) {
	defer func() {
		if t.Skipped() {
			t.Errorf("skipped: name it in deviations")
		}
	}()
	must(t, os.Mkdir(dir, 0o755))
	posixtest.All[name](t, dir)
	must(t, os.RemoveAll(dir))
}

func TestPosixDeviations(t *testing.T) {
	for name, says := range deviations() {
		t.Run(name, func(t *testing.T) {
			mount.Expect(t, mount.Options{Daemon: daemonName}, func(t *testing.T, m *mount.Mount) {
				sub := m.Path("private", name)
				must(t, os.MkdirAll(sub, 0o755))
				posixtest.All[name](t, sub)
			}, func(out string, err error) {
				if !strings.Contains(out, says) {
					t.Errorf("did not say %q (%v):\n%s", says, err, out)
				}
			})
		})
	}
}
