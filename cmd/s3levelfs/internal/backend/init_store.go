package backend

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"
	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/internal/config"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/s3store"
)

// AdminTimeout bounds what a command that sets up or probes asks in all: some dozens of small requests.
const AdminTimeout = 5 * time.Minute

// OpenBucket opens the bucket of a command that is about the bucket itself: by the provider s3 alone. Without credentials they are the AWS
// default chain's, also where the settings name an app's pools: no user of the app may set its bucket up.
func OpenBucket(ctx context.Context, cfg *config.Loaded, credentials store.CredentialSource, command string) (*s3store.Store, error) {
	if err := NotLocal(cfg, command); err != nil {
		return nil, err
	}
	if cfg.Bucket == "" {
		return nil, cmdline.WithCode(cmdline.ExitConfig, errors.New("no bucket: give --bucket NAME"))
	}
	opened, err := openProvider(ctx, cfg, credentials, zap.NewNop())
	if err != nil {
		return nil, err
	}
	s, ok := opened.(*s3store.Store)
	if !ok {
		_ = opened.Close()
		return nil, cmdline.WithCode(cmdline.ExitConfig, fmt.Errorf("%s: the provider %q has no such thing: leave --provider out", command, cfg.Provider))
	}
	return s, nil
}

// NotLocal refuses the embedded S3, which has nothing of what such a command is about.
func NotLocal(cfg *config.Loaded, command string) error {
	if cfg.Local == "" {
		return nil
	}
	return cmdline.WithCode(cmdline.ExitConfig, fmt.Errorf("%s: the embedded S3 of --local needs no set-up, and everything in it is yours: leave --local out", command))
}

// LoadForBucket reads the settings of a command about a bucket.
func LoadForBucket(c *cli.Context, command string) (*config.Loaded, error) {
	if c.NArg() > 0 {
		return nil, cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("%s takes no arguments, only options: see `s3levelfs %[1]s -h`", command))
	}
	return cmdline.LoadConfig(c)
}

// WithBucket runs a command on its bucket.
func WithBucket(c *cli.Context, command string, do func(ctx context.Context, cfg *config.Loaded, s *s3store.Store) error) error {
	cfg, err := LoadForBucket(c, command)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Context, AdminTimeout)
	defer cancel()
	s, err := OpenBucket(ctx, cfg, nil, command)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	return do(ctx, cfg, s)
}
