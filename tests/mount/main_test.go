package mount_test

import (
	"encoding/json"
	"errors"
	"os"
	"testing"

	gofs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3levelfs/s3levelfs/store/local"
	"github.com/s3levelfs/s3levelfs/tests/mount"
)

// daemonName is the daemon that most tests run on.
const daemonName = "mem"

func TestMain(m *testing.M) {
	local.MaybeRunChild()
	os.Exit(mount.Main(m, mount.Roles{
		Daemons: map[string]mount.Daemon{
			daemonName: mount.Mem(),
			"local":    mount.Local(),
			"loopback": loopback,
		},
		Programs: map[string]func([]string) int{"lock": lockProgram, "read": readProgram, "trymount": tryMount, "tryabort": tryAbort},
	}))
}

// loopback shows a directory of the disk: it proves the harness, and that a
// test fails because of the file system and not because of the test.
func loopback(dir, state string, _ json.RawMessage) (*mount.Served, error) {
	root, err := gofs.NewLoopbackRoot(state)
	if err != nil {
		return nil, err
	}
	server, err := gofs.Mount(dir, root, &gofs.Options{MountOptions: fuse.MountOptions{
		FsName: "loopback", Name: "loopback", DirectMountStrict: true,
	}})
	if err != nil {
		return nil, err
	}
	return &mount.Served{Control: new(echo), Stop: server.Unmount}, nil
}

// echo is a Control.
type echo struct{}

func (*echo) Twice(s string, reply *string) error {
	if s == "" {
		return errors.New("nothing to say")
	}
	*reply = s + s
	return nil
}
