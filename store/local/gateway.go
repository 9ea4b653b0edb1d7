//go:build !nolocal

package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"path/filepath"

	"github.com/gofiber/fiber/v3"
	"github.com/gofrs/flock"
	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
	"github.com/versity/versitygw/s3api"
	"github.com/versity/versitygw/s3err"
	"golang.org/x/sys/unix"
)

const (
	copyThreshold = 5 << 30 // S3's limit; versitygw's zero value refuses every copy
	maxConns      = 4096    // versitygw reserves nothing for them
	privateDir    = 0o700
	privateFile   = 0o600
)

// serve runs versitygw on o until ctx ends. ready is told the bound address once.
func serve(ctx context.Context, o order, ready func(addr string)) error {
	lock, err := lockData(o.Data)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Unlock() }() // the kernel does it at the latest with the process
	log.SetOutput(os.Stderr)
	storer, err := chooseMeta(o.Data)
	if err != nil {
		return dataError(o.Data, err)
	}
	_, sidecar := storer.(meta.SideCar)
	attrs := &attributes{MetadataStorer: storer, bucket: o.Bucket}
	accounts := newAccounts(o.Root, o.Accounts)
	if o.Policy != "" {
		if err := auth.ValidatePolicyDocument([]byte(o.Policy), o.Bucket, accounts); err != nil {
			return fmt.Errorf("policy of bucket %s: %w", o.Bucket, oneLine(err))
		}
		attrs.policy = []byte(o.Policy)
	}
	opts := posix.PosixOpts{CopyObjectThreshold: copyThreshold, ForceNoObjLockFile: true}
	opts.SetNewDirPerm(privateDir)
	opts.SetNewFilePerm(privateFile)
	files, err := posix.New(o.Data, attrs, opts) // changes the directory to o.Data
	if err != nil {
		return dataError(o.Data, err)
	}
	if err := makeBucket(storer, o); err != nil {
		return err
	}
	return embedgw.RunVersityGW(ctx, &gateway{Posix: files, attrs: attrs, sidecar: sidecar}, &embedgw.Config{
		RootUserAccess: o.Root.Access, RootUserSecret: o.Root.Secret, Region: Region,
		Ports: []string{o.Listen}, SocketPerm: "0600",
		MaxConnections: maxConns, MaxRequests: maxConns, MultipartMaxParts: 10_000,
		KeepAlive: true, Quiet: true, IAMService: accounts,
		S3Options: []s3api.Option{
			s3api.WithOnListen(func() { ready(boundAddress(o)) }),
			s3api.WithMiddleware("/", drain),
		},
	})
}

// oneLine takes the words out of versitygw's errors, which print as XML.
func oneLine(err error) error {
	if e, ok := errors.AsType[s3err.APIError](err); ok {
		return errors.New(e.Description)
	}
	return err
}

// lockData makes sure of the only server of a data directory.
func lockData(data string) (*flock.Flock, error) {
	path := filepath.Join(data, ownDir, "lock")
	lock := flock.New(path, flock.SetPermissions(privateFile))
	got, err := lock.TryLock()
	if err != nil {
		return nil, dataError(data, err)
	}
	if !got {
		holder, _ := os.ReadFile(path) // only to name it
		return nil, fmt.Errorf("data directory %s: in use by another server (process %s)", data, holder)
	}
	if err := os.WriteFile(path, fmt.Append(nil, os.Getpid()), privateFile); err != nil {
		return nil, errors.Join(dataError(data, err), lock.Unlock())
	}
	return lock, nil
}

// chooseMeta keeps headers in extended attributes, else in files beside the data.
func chooseMeta(data string) (meta.MetadataStorer, error) {
	probe := filepath.Join(data, ownDir, "lock")
	attrs := meta.XattrMeta{}
	side := filepath.Join(data, ownDir, "meta")
	if _, err := os.Stat(side); err == nil {
		return meta.NewSideCar(side) // chosen once, as headers must be found again
	}
	err := attrs.StoreAttribute(nil, filepath.Dir(probe), filepath.Base(probe), "probe", []byte("1"))
	if !errors.Is(err, unix.ENOTSUP) {
		return attrs, err
	}
	if err := os.Mkdir(side, privateDir); err != nil {
		return nil, err
	}
	return meta.NewSideCar(side)
}

// makeBucket makes the bucket, also out of a directory made by hand.
func makeBucket(storer meta.MetadataStorer, o order) error {
	err := os.Mkdir(o.Bucket, privateDir)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("bucket %s: %w", o.Bucket, err)
	}
	if _, err = storer.RetrieveAttribute(nil, o.Bucket, "", aclAttr); errors.Is(err, meta.ErrNoSuchKey) {
		var acl []byte
		if acl, err = json.Marshal(auth.ACL{Owner: o.Root.Access}); err == nil {
			err = storer.StoreAttribute(nil, o.Bucket, "", ownershipAttr, []byte("BucketOwnerEnforced"))
		}
		if err == nil {
			err = storer.StoreAttribute(nil, o.Bucket, "", aclAttr, acl)
		}
	}
	if err != nil {
		return fmt.Errorf("bucket %s: %w", o.Bucket, err)
	}
	return nil
}

// drain reads a refused body to its end. versitygw itself gives up after 256 KiB
// and closes the connection, so that the client sees a broken pipe instead of the
// 412, and "Expect: 100-continue" does not help, as its 100 comes unasked.
// Within one machine the rest costs next to nothing.
func drain(ctx fiber.Ctx) error {
	err := ctx.Next()
	if body := ctx.Request().BodyStream(); body != nil && ctx.Request().Header.ContentLength() > 0 {
		_, _ = io.Copy(io.Discard, body) // a client that went away needs no answer
	}
	return err
}
