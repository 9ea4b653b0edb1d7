package mount

import (
	"context"
	"path/filepath"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/local"
)

// Local is a daemon over the embedded S3 server, on an empty data directory. It
// has no Control. The test package's TestMain must call local.MaybeRunChild first.
func Local() Daemon {
	return OnStore(func(state string) (store.Store, func(*Stack) any, error) {
		st, err := local.Open(context.Background(), local.Config{Data: filepath.Join(state, "data")})
		return st, func(*Stack) any { return nil }, err
	})
}
