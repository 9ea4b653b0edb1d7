package backend

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/internal/config"
	"github.com/s3levelfs/s3levelfs/internal/tracking"
	"github.com/s3levelfs/s3levelfs/internal/tracking/kinesis"
	"github.com/s3levelfs/s3levelfs/store"
)

// TrackingTarget is where the settings have calls tracked to, nil = nowhere. stdout tells whether standard output is there for events.
func TrackingTarget(cfg *config.Loaded, stdout bool) (*tracking.Target, error) {
	to, on := cfg.TracksTo()
	if !on {
		return nil, nil
	}
	t, err := tracking.Parse(to)
	if err == nil && t.Kind == tracking.ToStdout && !stdout {
		err = errors.New("standard output is not free for events: a daemon has none, and cat and get - give objects there; name another sink, or mount -f")
	}
	if err != nil {
		return nil, cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("--track-to: %w", err))
	}
	return &t, nil
}

// OpenTracking begins to track to a target; nil tracks nothing. The caller closes what it gives.
func OpenTracking(ctx context.Context, cfg *config.Loaded, t *tracking.Target, credentials store.CredentialSource, stdout io.Writer, log *zap.Logger) (*tracking.Recorder, error) {
	if t == nil {
		return nil, nil
	}
	log = log.Named("tracking")
	sink, err := openSink(ctx, cfg, t, credentials, stdout, log)
	if err != nil {
		return nil, cmdline.WithCode(cmdline.ExitConfig, fmt.Errorf("--track-to: %w", err))
	}
	return tracking.New(sink, log), nil
}

func openSink(ctx context.Context, cfg *config.Loaded, t *tracking.Target, credentials store.CredentialSource, stdout io.Writer, log *zap.Logger) (tracking.Sink, error) {
	switch t.Kind {
	case tracking.ToFile:
		return tracking.OpenFile(t.Path)
	case tracking.ToWebhook:
		return tracking.OpenWebhook(*t, tracking.Secret(os.Getenv("S3LEVELFS_TRACK_TOKEN"))), nil
	case tracking.ToKinesis:
		c := kinesis.Config{Stream: t.Name, Region: cfg.Region, Profile: cfg.Profile}
		if credentials != nil {
			c.Credentials = aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
				c, err := credentials(ctx)
				return aws.Credentials{
					AccessKeyID: c.AccessKey, SecretAccessKey: c.SecretKey, SessionToken: c.SessionToken, CanExpire: !c.Expires.IsZero(), Expires: c.Expires,
				}, err
			})
		}
		return kinesis.New(ctx, c)
	case tracking.ToStdout:
		return tracking.ToWriter(stdout), nil
	case tracking.ToLog:
	}
	return tracking.ToLogger(log), nil
}

// Region is the bucket's region as far as the settings say it, "" = they do not.
func Region(cfg *config.Loaded) string {
	return cmp.Or(cfg.Region, os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"))
}
