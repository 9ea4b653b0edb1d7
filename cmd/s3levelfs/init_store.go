package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"
	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/internal/config"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/s3store"
)

// adminTimeout bounds what a command that sets up or probes asks in all: some dozens of small requests.
const adminTimeout = 5 * time.Minute

// openBucket opens the bucket of a command that is about the bucket itself: by the provider s3 alone. Without credentials they are the AWS
// default chain's, also where the settings name an app's pools: no user of the app may set its bucket up.
func openBucket(ctx context.Context, cfg *config.Loaded, credentials store.CredentialSource, command string) (*s3store.Store, error) {
	if err := notLocal(cfg, command); err != nil {
		return nil, err
	}
	if cfg.Bucket == "" {
		return nil, withCode(exitConfig, errors.New("no bucket: give --bucket NAME"))
	}
	opened, err := openProvider(ctx, cfg, credentials, zap.NewNop())
	if err != nil {
		return nil, err
	}
	s, ok := opened.(*s3store.Store)
	if !ok {
		_ = opened.Close()
		return nil, withCode(exitConfig, fmt.Errorf("%s: the provider %q has no such thing: leave --provider out", command, cfg.Provider))
	}
	return s, nil
}

// notLocal refuses the embedded S3, which has nothing of what such a command is about.
func notLocal(cfg *config.Loaded, command string) error {
	if cfg.Local == "" {
		return nil
	}
	return withCode(exitConfig, fmt.Errorf("%s: the embedded S3 of --local needs no set-up, and everything in it is yours: leave --local out", command))
}

// loadForBucket reads the settings of a command about a bucket.
func loadForBucket(c *cli.Context, command string) (*config.Loaded, error) {
	if c.NArg() > 0 {
		return nil, withCode(exitUsage, fmt.Errorf("%s takes no arguments, only options: see `s3levelfs %[1]s -h`", command))
	}
	return loadConfig(c)
}

// withBucket runs a command on its bucket.
func withBucket(c *cli.Context, command string, do func(ctx context.Context, cfg *config.Loaded, s *s3store.Store) error) error {
	cfg, err := loadForBucket(c, command)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Context, adminTimeout)
	defer cancel()
	s, err := openBucket(ctx, cfg, nil, command)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	return do(ctx, cfg, s)
}
