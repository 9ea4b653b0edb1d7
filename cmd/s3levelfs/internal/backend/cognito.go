package backend

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/identity"
	"github.com/s3levelfs/s3levelfs/internal/amplify"
	"github.com/s3levelfs/s3levelfs/internal/config"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
)

// Who is who a command works as, and by what right.
type Who struct {
	levels.Identity
	Credentials store.CredentialSource // nil = the provider's own, such as the AWS default chain
	Source      *identity.Source       // nil = not Cognito's
}

// Close ends the refreshing of credentials.
func (w *Who) Close() {
	if w.Source != nil {
		w.Source.Close()
	}
}

// SetLog says where what happens to the sign-in is logged.
func (w *Who) SetLog(log *zap.Logger) {
	if w.Source != nil {
		w.Source.SetLog(log)
	}
}

// OnLogin has f told when a login is needed, by the error, and by nil when there are credentials after it.
func (w *Who) OnLogin(f func(error)) {
	if w.Source != nil {
		w.Source.OnLogin(f)
	}
}

// UsesCognito tells whether the app's identity pool gives the credentials: it is set, and nobody says who he is by an
// identity id, whose credentials are the AWS chain's.
func UsesCognito(cfg *config.Loaded) bool {
	return cfg.Local == "" && cfg.IdentityID == "" && cfg.Cognito.IdentityPoolID != ""
}

// Cognito is what the settings say of an app's pools.
type Cognito struct {
	Users  *identity.UserPool // nil: none is set
	Pool   *identity.Pool     // nil: none is set
	Tokens *identity.Tokens
	Slot   identity.Slot // of the login
}

// clientSecret is the app client's secret: of the variable, or of the app's file where the client is the file's. It is never an
// option, for options are seen by everybody.
func clientSecret(cfg *config.Loaded) identity.Secret {
	if s := os.Getenv("S3LEVELFS_CLIENT_SECRET"); s != "" {
		return identity.Secret(s)
	}
	if cfg.App != nil && cfg.App.UserPool.ClientID == cfg.Cognito.ClientID {
		return identity.Secret(cfg.App.UserPool.ClientSecret.Reveal())
	}
	return ""
}

// NewCognito makes no request.
func NewCognito(cfg *config.Loaded) (*Cognito, error) {
	app := cfg.Cognito
	dir := filepath.Join(new(config.Config).StateBase(), "identity") // not below --state-dir: login and mounts share it
	c := &Cognito{
		Tokens: identity.NewTokens(identity.TokensConfig{Dir: dir, Keyring: identity.SystemKeyring()}),
		Slot:   identity.UserSlot(app.UserPoolID, app.ClientID),
	}
	var err error
	if app.UserPoolID != "" {
		c.Users, err = identity.NewUserPool(identity.UserPoolConfig{
			ID: app.UserPoolID, ClientID: app.ClientID, ClientSecret: clientSecret(cfg), Endpoint: app.UserPoolEndpoint,
		})
		if err != nil {
			return nil, cmdline.WithCode(cmdline.ExitConfig, err)
		}
	}
	if app.IdentityPoolID != "" {
		c.Pool, err = identity.NewPool(identity.PoolConfig{ID: app.IdentityPoolID, RoleARN: app.RoleARN, Endpoint: app.IdentityPoolEndpoint})
		if err != nil {
			return nil, cmdline.WithCode(cmdline.ExitConfig, err)
		}
	}
	return c, nil
}

// NeedPools says which setting a sign-in lacks.
func NeedPools(cfg *config.Loaded) error {
	for _, s := range []struct{ name, value string }{
		{"user-pool-id", cfg.Cognito.UserPoolID}, {"client-id", cfg.Cognito.ClientID}, {"identity-pool-id", cfg.Cognito.IdentityPoolID},
	} {
		if s.value == "" {
			return cmdline.WithCode(cmdline.ExitConfig, fmt.Errorf("no --%s: signing in needs the user pool, its app client and the identity pool of the app", s.name))
		}
	}
	return nil
}

// SignedInUsers is the user pool to take the login of, nil for a guest.
func (c *Cognito) SignedInUsers(cfg *config.Loaded) (*identity.UserPool, error) {
	switch {
	case cfg.Guest && cfg.App != nil && cfg.App.Guests == amplify.GuestsDenied:
		return nil, cmdline.WithCode(cmdline.ExitConfig, fmt.Errorf("--guest: %s says that the app lets no guests in: leave --guest out and sign in with `s3levelfs login`", cfg.App.Origin("Guests")))
	case cfg.Guest:
		return nil, nil // whoever is signed in: it was asked for
	case c.Users == nil:
		return nil, cmdline.WithCode(cmdline.ExitConfig, errors.New("no --user-pool-id, so nobody can be signed in: give it and --client-id, or --guest"))
	}
	return c.Users, nil
}

// LoginOrGuest adds to the need of a login what else can be done.
func LoginOrGuest(err error) error {
	if errors.Is(err, identity.ErrLoginNeeded) {
		return fmt.Errorf("%w, or give --guest", err)
	}
	return err
}

// storedIdentity is who was signed in last, or the guest, without a request.
func storedIdentity(cfg *config.Loaded) (levels.Identity, error) {
	c, err := NewCognito(cfg)
	if err != nil {
		return levels.Identity{}, err
	}
	users, err := c.SignedInUsers(cfg)
	if err != nil {
		return levels.Identity{}, err
	}
	if users == nil {
		id, err := c.Tokens.Guest(cfg.Cognito.IdentityPoolID)
		if err == nil && id == "" {
			err = cmdline.WithCode(cmdline.ExitConfig, errors.New("there is no guest of the identity pool yet: the first mount or ls makes one"))
		}
		return levels.Identity{ID: id}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), ReachTimeout) // the keyring may wait for its owner
	defer cancel()
	l, _, err := c.Tokens.Load(ctx, c.Slot)
	if err != nil {
		return levels.Identity{}, LoginOrGuest(err)
	}
	return levels.Identity{ID: l.IdentityID, Authenticated: true, Groups: groupsOf(cfg.App, l)}, nil
}

// OpenIdentity settles who we are, and with what credentials; Cognito is asked where the settings name its pools. The caller closes it.
func OpenIdentity(ctx context.Context, cfg *config.Loaded) (*Who, error) {
	if !UsesCognito(cfg) {
		id, err := ResolveIdentity(cfg)
		return &Who{Identity: id}, err
	}
	c, err := NewCognito(cfg)
	if err != nil {
		return nil, err
	}
	users, err := c.SignedInUsers(cfg)
	if err != nil {
		return nil, err
	}
	cfg.Region = cmp.Or(cfg.Region, os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"), regionOf(cfg.Cognito.IdentityPoolID))
	src := identity.NewSource(identity.SourceConfig{IdentityPool: c.Pool, UserPool: users, Tokens: c.Tokens, Slot: c.Slot})
	ctx, cancel := context.WithTimeout(ctx, 2*ReachTimeout)
	defer cancel()
	id, err := src.Identity(ctx)
	if err != nil {
		src.Close()
		return nil, LoginOrGuest(err)
	}
	w := &Who{Identity: levels.Identity{ID: id.ID, Authenticated: id.Authenticated}, Credentials: handOver(src), Source: src}
	if users != nil {
		l, _, err := c.Tokens.Load(ctx, c.Slot)
		if err != nil {
			src.Close()
			return nil, LoginOrGuest(err)
		}
		w.Groups = groupsOf(cfg.App, l)
	}
	return w, nil
}

// regionOf is the region that a pool's id begins with.
func regionOf(identityPoolID string) string {
	region, _, _ := strings.Cut(identityPoolID, ":")
	return region
}

// handOver gives a source's credentials to a store, with the kinds of errors that a store knows: uploads pause until a new login, and
// an outage of Cognito is one like the store's own.
func handOver(src *identity.Source) store.CredentialSource {
	return func(ctx context.Context) (store.Credentials, error) {
		c, err := src.Retrieve(ctx)
		switch {
		case errors.Is(err, identity.ErrUnreachable):
			return store.Credentials{}, transientError{err}
		case err != nil:
			return store.Credentials{}, err
		}
		return store.Credentials{AccessKey: c.AccessKeyID, SecretKey: c.SecretAccessKey, SessionToken: c.SessionToken, Expires: c.Expires}, nil
	}
}

// transientError is a failure that may be over at the next call.
type transientError struct{ error }

func (e transientError) Unwrap() []error { return []error{e.error, store.ErrTransient} }

// signInFailed tells failures to have credentials from Cognito, whose texts name the mend.
func signInFailed(err error) bool {
	return errors.Is(err, identity.ErrLoginNeeded) || errors.Is(err, identity.ErrOtherIdentity) ||
		errors.Is(err, identity.ErrRefused) || errors.Is(err, identity.ErrUnreachable)
}

// LoginStatus is what a mount's status says of credentials that come from Cognito.
type LoginStatus struct {
	Guest   bool      `json:"guest,omitempty"`
	Expires time.Time `json:"credentials_expire"`
	Needed  bool      `json:"login_needed,omitempty"`
	Error   string    `json:"error,omitempty"` // why they can not be renewed
}

// Status is what `status` says of the sign-in; nil = credentials are not Cognito's.
func (w *Who) Status() *LoginStatus {
	if w.Source == nil {
		return nil
	}
	s := w.Source.State()
	out := &LoginStatus{Guest: !s.Identity.Authenticated, Expires: s.Expires}
	if s.Err != nil {
		out.Error = cmdline.OneLine(s.Err.Error())
		out.Needed = errors.Is(s.Err, identity.ErrLoginNeeded) || errors.Is(s.Err, identity.ErrOtherIdentity)
	}
	return out
}

// WriteLogin is the login for people.
func WriteLogin(line func(name, format string, args ...any), l *LoginStatus) {
	if l == nil {
		return
	}
	kind := "signed in"
	if l.Guest {
		kind = "guest"
	}
	good := "credentials until " + l.Expires.Format(time.DateTime)
	if !time.Now().Before(l.Expires) {
		good = "credentials expired " + cmdline.Ago(l.Expires)
	}
	line("login", "%s, %s", kind, good)
	if l.Error != "" {
		line("", "they can not be renewed: %s", l.Error)
	}
	if l.Needed {
		line("", "nothing is lost: what was read can be read, what is written is kept, and all goes on after the login")
	}
}
