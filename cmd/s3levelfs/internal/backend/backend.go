package backend

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/fs/vfs"
	"github.com/s3levelfs/s3levelfs/internal/config"
	"github.com/s3levelfs/s3levelfs/internal/telemetry"
	"github.com/s3levelfs/s3levelfs/internal/throttle"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/local"
	_ "github.com/s3levelfs/s3levelfs/store/s3store" // registers the provider AWSS3
)

// Backend is a bucket and who we are in it.
type Backend struct {
	Store    *telemetry.Requests
	Policy   *levels.Policy
	Identity levels.Identity
	Presign  vfs.Presigner // nil: the provider makes no URLs

	Credentials store.CredentialSource // nil: the provider's own, such as the AWS default chain
}

// OpenLog opens the log of a command. A daemon without --log-file logs into dir.
func OpenLog(cfg *config.Loaded, dir string) (*zap.Logger, func(), error) {
	file := cfg.LogFile
	if file == "" && dir != "" {
		file = filepath.Join(dir, "mount.log")
	}
	log, closeLog, err := telemetry.NewLog(telemetry.LogConfig{Level: cfg.LogLevel, File: file, Format: cfg.LogFormat})
	if err != nil {
		return nil, nil, cmdline.WithCode(cmdline.ExitConfig, err)
	}
	return log, closeLog, nil
}

// ResolveIdentity settles who we are and which bucket is meant; the embedded
// S3 has a bucket and a stable identity of its own.
//
// It asks nobody: of who is signed in it says what is stored. openIdentity asks.
func ResolveIdentity(cfg *config.Loaded) (levels.Identity, error) {
	if UsesCognito(cfg) {
		return storedIdentity(cfg)
	}
	if cfg.Local == "" {
		return levels.Identity{ID: cfg.IdentityID, Authenticated: !cfg.Guest}, nil
	}
	abs, err := filepath.Abs(cfg.Local)
	if err != nil {
		return levels.Identity{}, err
	}
	cfg.Local = abs
	if err := os.MkdirAll(abs, 0o700); err != nil {
		return levels.Identity{}, cmdline.WithCode(cmdline.ExitConfig, fmt.Errorf("--local: %w", err))
	}
	if cfg.Bucket == "" {
		cfg.Bucket = local.DefaultBucket
	}
	if cfg.IdentityID == "" && !cfg.Guest {
		id, err := local.Identity(abs)
		if err != nil {
			return levels.Identity{}, fmt.Errorf("--local: %w", err)
		}
		cfg.IdentityID = id
	}
	return levels.Identity{ID: cfg.IdentityID, Authenticated: !cfg.Guest}, nil
}

// NewPolicy builds the access model that the settings describe.
func NewPolicy(cfg *config.Loaded, id levels.Identity) (*levels.Policy, error) {
	grants, err := levels.ParseGrants(cfg.Grants, id)
	if err != nil {
		return nil, cmdline.WithCode(cmdline.ExitConfig, fmt.Errorf("--grants: %w", err))
	}
	paths, err := pathRules(cfg)
	if err != nil {
		return nil, cmdline.WithCode(cmdline.ExitConfig, err)
	}
	p, err := levels.New(id, levels.Options{
		Paths:  paths,
		Grants: grants,
		Prefixes: levels.Prefixes{
			Public: cfg.PublicPrefix.Ptr(), Protected: cfg.ProtectedPrefix.Ptr(), Private: cfg.PrivatePrefix.Ptr(),
		},
		Only:    cfg.Level,
		Uploads: cfg.Uploads,
	})
	return p, cmdline.WithCode(cmdline.ExitConfig, err)
}

// OpenStore connects to the bucket as who the settings say; the bucket is sent no request yet.
func OpenStore(ctx context.Context, cfg *config.Loaded, log *zap.Logger) (*Backend, error) {
	w, err := OpenIdentity(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return OpenStoreAs(ctx, cfg, w, log)
}

// OpenStoreAs is openStore for who is known already.
func OpenStoreAs(ctx context.Context, cfg *config.Loaded, w *Who, log *zap.Logger) (*Backend, error) {
	policy, err := NewPolicy(cfg, w.Identity)
	if err != nil {
		return nil, err
	}
	s, err := openProvider(ctx, cfg, w.Credentials, log)
	if err != nil {
		return nil, err
	}
	presign, _ := s.(vfs.Presigner)
	if cfg.UploadLimit > 0 {
		s = throttle.New(s, cfg.UploadLimit)
	}
	return &Backend{Store: telemetry.CountRequests(s), Policy: policy, Identity: w.Identity, Presign: presign, Credentials: w.Credentials}, nil
}

// openProvider opens the provider of the settings; without credentials it finds its own.
func openProvider(ctx context.Context, cfg *config.Loaded, credentials store.CredentialSource, log *zap.Logger) (store.Store, error) {
	if cfg.Local != "" {
		if cfg.CustomerKeyFile != "" {
			return nil, cmdline.WithCode(cmdline.ExitConfig, errors.New("--sse-c-key-file: the embedded S3 encrypts nothing: leave it or --local out"))
		}
		return openLocal(ctx, local.Config{Data: cfg.Local, Bucket: cfg.Bucket, Log: log})
	}
	key, err := customerKey(cfg.CustomerKeyFile)
	if err != nil {
		return nil, err
	}
	s, err := store.Open(ctx, cmdline.ProviderOf(cfg), store.Options{
		CustomerKey: key, RequestPayer: cfg.RequestPayer, BucketOwner: cfg.BucketOwner,
		Bucket: cfg.Bucket, Endpoint: cfg.Endpoint, Region: cfg.Region, PathStyle: cfg.PathStyle,
		Profile: cfg.Profile, MaxAttempts: cfg.MaxAttempts, Checksums: cfg.Checksums,
		Credentials: credentials, Extra: store.Settings(cfg.ProviderSettings),
	})
	if err != nil {
		return nil, cmdline.WithCode(cmdline.ExitConfig, fmt.Errorf("bucket %s: %w", cfg.Bucket, err)) // no request was sent yet
	}
	return s, nil
}

// localWait is how long the embedded server of a daemon that was killed a moment ago is waited for:
// it ends by itself.
const localWait = 3 * time.Second

// openLocal opens the embedded S3. That its data are still served by another process is known by
// the words alone: they come from the child.
func openLocal(ctx context.Context, c local.Config) (store.Store, error) {
	for end := time.Now().Add(localWait); ; {
		s, err := local.Open(ctx, c)
		if err == nil {
			return s, nil
		}
		if !strings.Contains(err.Error(), "in use by another server") || time.Now().After(end) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Reach proves that bucket and credentials are right before anything is
// mounted: one listing of one key in the first level that may be listed. A
// level whose listing is denied says nothing of the others.
func (b *Backend) Reach(ctx context.Context, bucket string) error {
	var denied error
	for _, l := range b.Policy.LevelPrefixes() {
		if !l.Grants.Has(levels.List) {
			continue
		}
		err := listOne(ctx, b.Store, l.Prefix)
		if err == nil {
			return nil
		}
		if !errors.Is(err, store.ErrPermission) {
			return Describe(err, bucket)
		}
		denied = err
	}
	if denied != nil {
		return cmdline.WithCode(cmdline.ExitPermission, fmt.Errorf("bucket %s: these credentials may list none of its levels: "+
			"give others, or check the role's policy (%w)", bucket, denied))
	}
	return nil // nothing may be listed: the first write will tell
}

func listOne(ctx context.Context, s store.Reader, prefix string) error {
	for _, err := range s.List(ctx, prefix, store.ListOptions{PageSize: 1}) {
		return err
	}
	return nil
}

// Describe says in one line what is wrong with bucket, endpoint or credentials and how to mend it.
func Describe(err error, bucket string) error {
	if signInFailed(err) {
		return fmt.Errorf("bucket %s: %w", bucket, err) // which names the mend
	}
	for _, k := range []struct {
		kind error
		mend string
	}{
		{store.ErrNoBucket, "does not exist: check --bucket, --region and --endpoint"},
		{store.ErrCredentials, "refuses the credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, to valid ones"},
		{store.ErrExpired, "says that the credentials have expired: renew them"},
		{store.ErrClockSkew, "says that this machine's clock is wrong: set it (timedatectl set-ntp true)"},
		{store.ErrTransient, "can not be reached: check --endpoint and the network"},
	} {
		if errors.Is(err, k.kind) {
			return fmt.Errorf("bucket %s %s (%w)", bucket, k.mend, err)
		}
	}
	return fmt.Errorf("bucket %s: %w", bucket, err)
}

// ReachTimeout bounds the proof that the bucket answers.
const ReachTimeout = 9 * time.Second
