package control

import (
	"path/filepath"

	"golang.org/x/sys/unix"
)

// FreeOn is what an ordinary user may still write on the disk of a directory, and how large that is, in bytes; -1 = not known.
func FreeOn(dir string) (free, total int64) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return -1, 0
	}
	return int64(st.Bavail) * st.Bsize, int64(st.Blocks) * st.Bsize
}

// AbsoluteOr is the absolute path of a directory, or what was given where there is none.
func AbsoluteOr(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		return abs
	}
	return dir
}
