package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"
	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/internal/config"
	"github.com/s3levelfs/s3levelfs/store/s3store"
)

// adminTimeout bounds what a command that sets up or probes asks in all: some dozens of small requests.
const adminTimeout = 5 * time.Minute

// openBucket opens the bucket of a command that is about the bucket itself: by the provider s3 alone, whose credentials are
// those of every other command.
func openBucket(ctx context.Context, cfg *config.Loaded, command string) (*s3store.Store, error) {
	switch {
	case cfg.Local != "":
		return nil, withCode(exitConfig, fmt.Errorf("%s: the embedded S3 of --local needs no set-up, and everything in it is yours: leave --local out", command))
	case cfg.Bucket == "":
		return nil, withCode(exitConfig, errors.New("no bucket: give --bucket NAME"))
	}
	opened, err := openProvider(ctx, cfg, zap.NewNop())
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

// withBucket runs a command on its bucket.
func withBucket(c *cli.Context, command string, do func(ctx context.Context, cfg *config.Loaded, s *s3store.Store) error) error {
	if c.NArg() > 0 {
		return withCode(exitUsage, fmt.Errorf("%s takes no arguments, only options: see `s3levelfs %[1]s -h`", command))
	}
	cfg, err := loadConfig(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Context, adminTimeout)
	defer cancel()
	s, err := openBucket(ctx, cfg, command)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	return do(ctx, cfg, s)
}
