package fs

import (
	"strings"

	"github.com/moby/sys/mountinfo"
)

// Found is a mount of this program, as the mount table of this process has it.
type Found struct {
	Dir    string // the mountpoint
	Source string // "s3levelfs:<bucket>"
	Dead   bool   // its process is gone: "transport endpoint is not connected"
}

// Find lists all mounts of this program, anybody's. One that hangs costs a second.
func Find() ([]Found, error) {
	mounts, err := mountinfo.GetMounts(func(m *mountinfo.Info) (skip, stop bool) {
		return !strings.HasPrefix(m.FSType, "fuse.") || !strings.HasPrefix(m.Source, "s3levelfs:"), false
	})
	if err != nil {
		return nil, err
	}
	found := make([]Found, 0, len(mounts))
	for _, m := range mounts {
		found = append(found, Found{Dir: m.Mountpoint, Source: m.Source, Dead: isDead(m.Mountpoint)})
	}
	return found, nil
}

// Device is what a mount is served through.
const Device = device

// Helper is the program that mounts for who is not root, where it is installed.
func Helper() (path string, found bool) { return fusermount() }
