package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/s3store"
)

// ProviderName is what the store is registered as.
const ProviderName = "local"

func init() { store.Register(ProviderName, Provider) }

// ExtraData is the key of [store.Options.Extra] with the data directory.
const ExtraData = "data"

// Provider makes the provider of the embedded server.
func Provider() store.Provider {
	return store.Pluggable(ProviderName, open, store.Setting{Name: ExtraData, Usage: "directory with the data; made on first use", Required: true})
}

func open(ctx context.Context, o store.Options) (*Store, error) {
	return Open(ctx, Config{
		Data: o.Extra[ExtraData], Bucket: o.Bucket,
		MaxAttempts: o.MaxAttempts, Checksums: o.Checksums,
	})
}

// contract is what the server's client gives on: no presigned URLs, as those lead to this process alone.
type contract interface {
	store.Store
	store.Prober
}

// Store is a bucket of an embedded server that lives as long as the store.
type Store struct {
	contract
	server *Server
	disk   *os.File // the bucket's directory: names the filesystem to sync

	close sync.Once
	err   error
}

var (
	_ store.Store  = (*Store)(nil)
	_ store.Syncer = (*Store)(nil)
)

// Open starts a server and opens its bucket.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	cfg = cfg.withDefaults()
	server, err := Start(ctx, cfg)
	if err != nil {
		return nil, err
	}
	client, err := s3store.New(ctx, s3store.Config{
		Bucket: cfg.Bucket, Region: Region, Endpoint: server.Endpoint(), PathStyle: true,
		Credentials: s3store.Static(server.Credentials().Access, server.Credentials().Secret, ""),
		MaxAttempts: cfg.MaxAttempts, Checksums: cfg.Checksums, Log: cfg.Log,
		CopyKeepsAll: true, // versitygw stores neither class nor encryption
	})
	if err != nil {
		return nil, errors.Join(err, server.Close())
	}
	disk, err := os.Open(filepath.Join(cfg.Data, cfg.Bucket))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("local store: %w", err), client.Close(), server.Close())
	}
	return &Store{contract: client, server: server, disk: disk}, nil
}

// Server is the server behind the store.
func (s *Store) Server() *Server { return s.server }

// Limits are those of the server, whose writes are not on its disk before a Sync.
func (s *Store) Limits() store.Limits {
	l := s.contract.Limits()
	l.NeedsSync = true
	return l
}

// Sync puts everything that the server has acknowledged on stable storage. It
// returns when that is done, or failed, even if ctx ends before: the kernel can
// not be called back.
func (s *Store) Sync(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := unix.Syncfs(int(s.disk.Fd())); err != nil {
		return &store.Error{Op: "sync", Kind: store.ErrTransient, Err: os.NewSyscallError("syncfs", err)}
	}
	return nil
}

// Close ends the server.
func (s *Store) Close() error {
	s.close.Do(func() {
		s.err = errors.Join(s.contract.Close(), s.server.Close(), s.disk.Close())
	})
	return s.err
}
