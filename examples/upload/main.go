// Command s3levelfs-upload uses s3levelfs as a library, without FUSE: it puts, lists and gets objects of an Amplify app's bucket by the paths that
// a mount would show, and what it has taken to upload survives a crash. Each step is explained in README.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/s3levelfs/s3levelfs/identity"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/s3store"
)

const usage = `usage: s3levelfs-upload [options] put FILE PATH | ls DIR | get PATH FILE

PATH and DIR are as a mount has them: public/a.txt, private/a.txt, protected/me/a.txt. Credentials are the AWS
default chain's, or with -identity-pool those of its guest.
`

// settings are the program's options; each has a variable, as in a container.
type settings struct {
	endpoint, region, bucket, identityID, identityPool, spool string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "s3levelfs-upload:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var s settings
	flags := flag.NewFlagSet("s3levelfs-upload", flag.ContinueOnError)
	flags.Usage = func() { fmt.Fprint(flags.Output(), usage); flags.PrintDefaults() }
	flags.StringVar(&s.endpoint, "endpoint", os.Getenv("S3_ENDPOINT"), "S3 endpoint `URL`; default: AWS (S3_ENDPOINT)")
	flags.StringVar(&s.region, "region", os.Getenv("AWS_REGION"), "bucket's region `NAME` (AWS_REGION)")
	flags.StringVar(&s.bucket, "bucket", os.Getenv("S3_BUCKET"), "bucket `NAME` (S3_BUCKET)")
	flags.StringVar(&s.identityID, "identity-id", os.Getenv("IDENTITY_ID"), "Cognito identity `ID` of who is signed in (IDENTITY_ID)")
	flags.StringVar(&s.identityPool, "identity-pool", os.Getenv("IDENTITY_POOL_ID"), "Cognito identity pool `ID`, to be its guest (IDENTITY_POOL_ID)")
	flags.StringVar(&s.spool, "spool", spoolDir(), "`DIR` for what is not uploaded yet")
	if err := flags.Parse(args); err != nil {
		return err
	}
	c, err := open(ctx, s)
	if err != nil {
		return err
	}
	defer c.close()
	switch a := flags.Args(); {
	case len(a) == 3 && a[0] == "put":
		return c.put(ctx, a[1], a[2])
	case len(a) == 2 && a[0] == "ls":
		return c.list(ctx, a[1], out)
	case len(a) == 3 && a[0] == "get":
		return c.get(ctx, a[1], a[2])
	}
	return fmt.Errorf("no such command: see s3levelfs-upload -h")
}

func spoolDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	return filepath.Join(dir, "s3levelfs-upload")
}

// client is a bucket and who we are in it.
type client struct {
	settings
	store  store.Store
	policy *levels.Policy
	closes []func()
}

// open makes a client; it sends no request, but to Cognito for a guest.
func open(ctx context.Context, s settings) (_ *client, err error) {
	c := &client{settings: s}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	who, credentials, err := c.signIn(ctx)
	if err != nil {
		return nil, err
	}
	if c.policy, err = levels.New(who, levels.Options{}); err != nil {
		return nil, err
	}
	c.store, err = store.Open(ctx, s3store.ProviderName, store.Options{
		Bucket: s.bucket, Endpoint: s.endpoint, Region: s.region, Credentials: credentials,
	})
	if err != nil {
		return nil, err
	}
	c.closes = append(c.closes, func() { _ = c.store.Close() })
	return c, nil
}

func (c *client) close() {
	for _, end := range slices.Backward(c.closes) {
		end()
	}
}

// signIn says who we are, and by whose credentials; nil are the AWS default chain's.
func (c *client) signIn(ctx context.Context) (levels.Identity, store.CredentialSource, error) {
	if c.identityPool == "" {
		return levels.Identity{ID: c.identityID, Authenticated: c.identityID != ""}, nil, nil
	}
	pool, err := identity.NewPool(identity.PoolConfig{ID: c.identityPool})
	if err != nil {
		return levels.Identity{}, nil, err
	}
	tokens := identity.NewTokens(identity.TokensConfig{Dir: filepath.Join(c.spool, "identity")})
	source := identity.NewSource(identity.SourceConfig{IdentityPool: pool, Tokens: tokens})
	c.closes = append(c.closes, source.Close)
	guest, err := source.Identity(ctx)
	if err != nil {
		return levels.Identity{}, nil, err
	}
	return levels.Identity{ID: guest.ID, Authenticated: guest.Authenticated}, func(ctx context.Context) (store.Credentials, error) {
		k, err := source.Retrieve(ctx)
		return store.Credentials{AccessKey: k.AccessKeyID, SecretKey: k.SecretAccessKey, SessionToken: k.SessionToken, Expires: k.Expires}, err
	}, nil
}

// key is what a path stands for in the bucket, if we may do what we want there.
func (c *client) key(path string, want levels.Perm) (levels.Target, error) {
	path = c.policy.Follow(path)
	if err := c.policy.Check(path, want); err != nil {
		return levels.Target{}, err
	}
	return c.policy.Resolve(path)
}
