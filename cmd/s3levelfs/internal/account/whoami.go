package account

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/backend"
	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/identity"
	"github.com/s3levelfs/s3levelfs/internal/config"
)

// whoami is what is known of who one is; `whoami --json` prints it.
type whoami struct {
	IdentityID     string    `json:"identity_id,omitempty"`
	Authenticated  bool      `json:"authenticated"`
	Username       string    `json:"username,omitempty"`
	UserPoolID     string    `json:"user_pool_id,omitempty"`
	ClientID       string    `json:"client_id,omitempty"`
	IdentityPoolID string    `json:"identity_pool_id,omitempty"`
	Groups         []string  `json:"groups,omitempty"` // of the id token
	Role           string    `json:"role,omitempty"`   // ARN; "" = the identity pool's for everybody
	SignedIn       time.Time `json:"signed_in,omitzero"`
	TokensExpire   time.Time `json:"tokens_expire,omitzero"` // they are renewed by themselves while the login lasts
	Expire         time.Time `json:"credentials_expire,omitzero"`
	Stored         string    `json:"stored,omitempty"`      // where the login is
	Credentials    string    `json:"credentials,omitempty"` // whose: Cognito, the AWS default chain, the embedded S3
	Error          string    `json:"error,omitempty"`       // why there are no credentials now
}

// WhoamiCommand is `whoami`.
func WhoamiCommand() *cli.Command {
	return &cli.Command{
		Name:      "whoami",
		Usage:     "tell who mounts and commands work as, and for how long",
		ArgsUsage: " ",
		Flags:     append([]cli.Flag{cmdline.JSONFlag()}, cmdline.GroupFlags(config.GroupStore)...),
		Action: func(c *cli.Context) error {
			cfg, err := cmdline.LoadConfig(c)
			if err != nil {
				return err
			}
			if c.NArg() > 0 {
				return cmdline.WithCode(cmdline.ExitUsage, errors.New("whoami takes no arguments: see `s3levelfs whoami -h`"))
			}
			if backend.UsesCognito(cfg) {
				app, err := backend.NewCognito(cfg)
				if err != nil {
					return err
				}
				return whoamiOf(c, cfg, app)
			}
			return whoamiByKeys(c, cfg)
		},
	}
}

// whoamiByKeys tells of an identity that is given beside the credentials.
func whoamiByKeys(c *cli.Context, cfg *config.Loaded) error {
	if cfg.Local == "" && cfg.IdentityID == "" && !cfg.Guest {
		return cmdline.WithCode(cmdline.ExitConfig, errors.New("no identity: give --identity-id, --guest, or the app's pools and `s3levelfs login`"))
	}
	id, err := backend.ResolveIdentity(cfg)
	if err != nil {
		return err
	}
	w := whoami{IdentityID: id.ID, Authenticated: id.Authenticated, Credentials: "AWS default chain"} //nolint:gosec // a name of where they come from
	switch {
	case cfg.Local != "":
		w.Credentials = "embedded S3"
	case cfg.ProviderPlace != "":
		w.Credentials = "the provider's own"
	}
	return w.print(c)
}

// whoamiOf tells of the signed-in user, or the guest. It asks Cognito for credentials, which it does not keep.
func whoamiOf(c *cli.Context, cfg *config.Loaded, app *backend.Cognito) error {
	w := whoami{
		UserPoolID: cfg.Cognito.UserPoolID, ClientID: cfg.Cognito.ClientID, IdentityPoolID: cfg.Cognito.IdentityPoolID,
		Role: cfg.Cognito.RoleARN, Credentials: "Cognito",
	}
	ctx, cancel := context.WithTimeout(c.Context, 2*backend.ReachTimeout)
	defer cancel()
	users, err := app.SignedInUsers(cfg)
	if err != nil {
		return err
	}
	if users == nil {
		w.UserPoolID, w.ClientID, w.Role = "", "", ""
		w.Stored = app.Tokens.Where(identity.GuestSlot(cfg.Cognito.IdentityPoolID))
	}
	src := identity.NewSource(identity.SourceConfig{IdentityPool: app.Pool, UserPool: users, Tokens: app.Tokens, Slot: app.Slot})
	defer src.Close()
	id, failure := src.Identity(ctx)
	if failure == nil {
		w.IdentityID, w.Authenticated, w.Expire = id.ID, id.Authenticated, src.State().Expires
	}
	if users != nil {
		l, _, err := app.Tokens.Load(ctx, app.Slot)
		if err != nil {
			return backend.LoginOrGuest(err)
		}
		w.addLogin(l, app.Tokens.Where(app.Slot))
	}
	if failure != nil {
		w.Error = cmdline.OneLine(failure.Error())
	}
	return errors.Join(w.print(c), failure)
}

func (w *whoami) addLogin(l *identity.Login, stored string) {
	w.IdentityID = cmp.Or(w.IdentityID, l.IdentityID)
	w.Authenticated = true
	w.Username, w.SignedIn, w.TokensExpire, w.Stored = l.Username, l.Since, l.Expires, stored
	if claims, err := l.Claims(); err == nil {
		w.Groups, w.Role = claims.Groups, cmp.Or(w.Role, claims.PreferredRole)
	}
}

func (w *whoami) print(c *cli.Context) error {
	if c.Bool("json") {
		return cmdline.PrintJSON(c.App.Writer, w)
	}
	w.write(c.App.Writer)
	return nil
}

// write is for people. Write errors of a terminal are not worth a failure.
func (w *whoami) write(out io.Writer) {
	line := func(name, value string) {
		if value != "" {
			_, _ = fmt.Fprintf(out, "%-13s %s\n", name, value)
		}
	}
	at := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.Local().Format(time.DateTime)
	}
	kind := "guest"
	if w.Authenticated {
		kind = "signed in"
	}
	line("identity", cmp.Or(w.IdentityID, "none"))
	line("as", kind)
	line("user", cmdline.Printable(w.Username))
	line("user pool", strings.TrimSpace(w.UserPoolID+" "+w.ClientID))
	line("identity pool", w.IdentityPoolID)
	line("groups", strings.Join(w.Groups, ", "))
	line("role", w.Role)
	line("since", at(w.SignedIn))
	line("tokens until", at(w.TokensExpire))
	credentials := w.Credentials
	if !w.Expire.IsZero() {
		credentials += ", until " + at(w.Expire)
	}
	line("credentials", credentials)
	line("stored in", w.Stored)
}
