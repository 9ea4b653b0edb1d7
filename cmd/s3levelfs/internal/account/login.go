package account

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/backend"
	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/control"
	"github.com/s3levelfs/s3levelfs/identity"
	"github.com/s3levelfs/s3levelfs/internal/config"
	"github.com/s3levelfs/s3levelfs/internal/telemetry"
)

// LoginCommand is `login`.
func LoginCommand() *cli.Command {
	return &cli.Command{
		Name:      "login",
		Usage:     "sign in with the app's user pool; mounts and commands then work as that user",
		ArgsUsage: "[USERNAME]",
		Description: "Asks for the password, and for what the user pool wants besides (a code, a new password), without\n" +
			"showing it. What it gets is kept in the system keyring, or where there is none in a file that only you can\n" +
			"read; `s3levelfs whoami` tells which. Mounts of the same user that wait for a login go on at once.\n\n" +
			"   s3levelfs login --user-pool-id POOL --client-id CLIENT --identity-pool-id ID alice\n" +
			"   pass show app/alice | s3levelfs login --password-stdin alice\n\n" +
			"The pools come from the configuration file, too. An app client's secret is read from S3LEVELFS_CLIENT_SECRET.",
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "password-stdin", Usage: "read the password from the first line of standard input, and what is asked besides from the next"},
			&cli.StringFlag{Name: "auth-flow", Value: string(identity.FlowSRP), Usage: "`HOW` the password is proved: srp (it never leaves this machine) or password (it is sent)"},
			&cli.BoolFlag{Name: "link-guest", Usage: "make the guest's identity the user's at the first sign-in, as Amplify does: guest files become the user's"},
			cmdline.JSONFlag(),
		}, cmdline.GroupFlags(config.GroupStore, config.GroupLog)...),
		Action: login,
	}
}

func login(c *cli.Context) error {
	cfg, err := cmdline.LoadConfig(c)
	if err != nil {
		return err
	}
	if c.NArg() > 1 {
		return cmdline.WithCode(cmdline.ExitUsage, errors.New("login takes one USERNAME: the password is asked for, or read with --password-stdin"))
	}
	flow := identity.Flow(c.String("auth-flow"))
	if flow != identity.FlowSRP && flow != identity.FlowPassword {
		return cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("--auth-flow: %q is not one of srp, password", c.String("auth-flow")))
	}
	if err := backend.NeedPools(cfg); err != nil {
		return err
	}
	app, err := backend.NewCognito(cfg)
	if err != nil {
		return err
	}
	ask, err := newAsker(c.Bool("password-stdin"))
	if err != nil {
		return err
	}
	user, password, err := ask.account(c.Args().First())
	if err != nil {
		return err
	}
	l, err := app.Users.SignIn(c.Context, user, password, flow, ask)
	if err != nil {
		return err
	}
	if err := keep(c.Context, app, l, c.Bool("link-guest")); err != nil {
		return err
	}
	wakeMounts(c.Context, l.IdentityID)
	if c.Bool("json") {
		return whoamiOf(c, cfg, app)
	}
	_, err = fmt.Fprintf(c.App.Writer, "signed in as %s, identity %s\n", cmdline.Printable(l.Username), l.IdentityID)
	return err
}

// keep finds out which identity a login has and stores both. The login that it replaces is ended at Cognito, as nobody has it any more.
func keep(ctx context.Context, c *backend.Cognito, l *identity.Login, linkGuest bool) error {
	if linkGuest {
		if err := identity.LinkGuest(ctx, c.Pool, c.Tokens, l); err != nil {
			return err
		}
	}
	if l.IdentityID == "" {
		if err := identity.FindIdentity(ctx, c.Pool, l); err != nil {
			return err
		}
	}
	before, _, err := c.Tokens.Load(ctx, c.Slot)
	if err != nil {
		before = nil // nobody, or what can not be read: it is replaced
	}
	if err := c.Tokens.Replace(ctx, c.Slot, l); err != nil {
		return cmdline.WithCode(cmdline.ExitConfig, err)
	}
	if before != nil {
		_ = c.Users.SignOut(ctx, before) // without it, it ends by itself
	}
	return nil
}

// wakeMounts tells the running mounts of an identity that there are credentials again. They find out by themselves, too.
func wakeMounts(ctx context.Context, identityID string) {
	reg, err := control.Registry()
	if err != nil {
		return
	}
	mounts, err := reg.List()
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, control.StatusTimeout)
	defer cancel()
	for _, m := range mounts {
		if m.Identity == identityID {
			if _, err := telemetry.Dial(m.Socket).SpoolRetry(ctx, nil); err != nil {
				_, _ = fmt.Fprintf(os.Stderr, "s3levelfs: %s has not been told: it goes on within a minute\n", m.Mountpoint)
			}
		}
	}
}
