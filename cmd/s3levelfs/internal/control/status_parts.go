package control

import "github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"

// writeDiskCache tells people of it.
func writeDiskCache(line func(name, format string, args ...any), s *MountStatus) {
	d := s.Disk
	if d == nil {
		line("disk cache", "none: %s", s.NoDisk)
		return
	}
	line("disk cache", "%s of %s in %s, %d hits", cmdline.BytesText(d.Bytes), cmdline.BytesText(d.Size), d.Dir, d.Hits)
	if d.Full != "" {
		line("", "it keeps nothing new: %s", d.Full)
	}
	if d.Bad > 0 {
		line("", "%s could not be read or had changed on the disk, and came from the store instead", cmdline.Plural(int(d.Bad), "block"))
	}
}
