package vfs

import "context"

// The numbers of statfs(2): a bucket has no size and no free space, so they
// are a petabyte that is always free, as df, file managers and backup programs
// accept it. Sizes that overflow 63 bits make some of them refuse to write.
const (
	statfsBlock  = 4096
	statfsBlocks = 1 << 50 / statfsBlock // 1 PiB
	statfsFiles  = 1 << 40
	maxName      = 255  // bytes of one path element, NAME_MAX
	maxKey       = 1024 // bytes of a key; S3 user guide, "Naming Amazon S3 objects"
)

// Statfs answers statfs(2) without a request.
func (v *FS) Statfs(context.Context) (Statfs, error) {
	return Statfs{
		BlockSize: statfsBlock,
		Blocks:    statfsBlocks, Free: statfsBlocks, Avail: statfsBlocks,
		Files: statfsFiles, FilesFree: statfsFiles,
		NameLen: maxName,
	}, nil
}
