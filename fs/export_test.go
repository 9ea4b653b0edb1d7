package fs

import (
	"context"

	"github.com/hanwen/go-fuse/v2/fuse"
	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/fs/vfs"
)

// Patient is patient, for tests.
func Patient(request context.Context) (ctx context.Context, release func()) {
	return new(patients).patient(request)
}

// Unhurried is unhurried, for tests.
func Unhurried(request context.Context) (ctx context.Context, release func()) {
	return new(patients).unhurried(request)
}

// Raw is the file system as go-fuse's server calls it, without a kernel.
func Raw(v *vfs.FS, log *zap.Logger) fuse.RawFileSystem {
	raw, _ := nodeFS(v, Options{Log: log, SyncNames: func(context.Context) error { return nil }})
	return raw
}
