// Package app is the whole program, for its own main and for those of programs that bring providers of their own.
package app

import (
	"context"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/account"
	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/bucket"
	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/control"
	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/daemon"
	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/doctor"
	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/object"
	"github.com/s3levelfs/s3levelfs/store/local"
)

// Main runs the command that the process's arguments name, and ends the process with its exit code.
func Main() {
	local.MaybeRunChild() // does not return when this process is the embedded server
	os.Exit(run(context.Background(), os.Args))
}

// run is Main without the process: it returns the exit code.
func run(ctx context.Context, args []string) int {
	app := newApp()
	err := app.RunContext(ctx, cmdline.Permute(app, args))
	if err == nil {
		return cmdline.ExitOK
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(os.Stderr, "s3levelfs: "+cmdline.OneLine(text))
	}
	return cmdline.ExitCode(err)
}

// settingsHelp ends the help of each command.
const settingsHelp = `
Every option of a group (store, mount, object, log options) is also an environment variable (S3LEVELFS_ and the name in upper case with _ for -)
and a key of the TOML file that --config names (default: s3levelfs/config.toml below the
user's configuration directory). A flag beats a variable beats the file beats the Amplify app's
own file (see s3levelfs config -h).
Credentials come from 's3levelfs login' or --guest where the app's pools are set, else from the AWS default
chain (environment, shared files, SSO, instance role).
`

// newApp is the command line.
func newApp() *cli.App {
	app := &cli.App{
		Name:                   "s3levelfs",
		Usage:                  "the access levels of an S3 bucket (AWS Amplify Storage) as a file system",
		Version:                cmdline.Version,
		UseShortOptionHandling: true,
		CustomAppHelpTemplate:  cli.AppHelpTemplate + exitCodes(allCodes()) + settingsHelp,
		ExitErrHandler:         func(*cli.Context, error) {}, // run prints and maps
		OnUsageError:           usageError,
		CommandNotFound:        nil,
		Commands: []*cli.Command{
			daemon.MountCommand(), control.UmountCommand(), control.SyncCommand(), control.StatusCommand(),
			control.ExplainCommand(), control.SpoolCommand(), control.WatchCommand(), doctor.Command(), localCommand(), providersCommand(), configCommand(), cmdline.VersionCommand(),
			account.LoginCommand(), account.LogoutCommand(), account.WhoamiCommand(),
			object.VaultCommand(),
			bucket.InitCommand(), bucket.PolicyCommand(), bucket.CORSCommand(), bucket.AccessCommand(),
			manCommand(), completionCommand(), completeCommand(),
		},
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("no command %q: see `s3levelfs -h`", c.Args().First()))
			}
			return cli.ShowAppHelp(c)
		},
	}
	app.Commands = append(app.Commands, object.StorageCommands()...)
	prepare(app.Commands, "", pages())
	return app
}

// prepare gives commands, and those below them, what all have.
func prepare(commands []*cli.Command, above string, all manual) {
	for _, cmd := range commands {
		name := above + cmd.Name
		cmd.OnUsageError = func(_ *cli.Context, err error, _ bool) error {
			return cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("%w: see `s3levelfs %s -h`", err, name))
		}
		sayDefaults(cmd.Flags)
		cmd.CustomHelpTemplate = cli.CommandHelpTemplate + all.sections(name, cmd) + settingsHelp
		if len(cmd.Subcommands) == 0 {
			continue
		}
		cmd.CustomHelpTemplate = cli.SubcommandHelpTemplate + all.sections(name, cmd) + settingsHelp
		cmd.Action = func(c *cli.Context) error {
			if c.NArg() > 0 {
				return cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("no command %q: see `s3levelfs %s -h`", name+" "+c.Args().First(), name))
			}
			return cli.ShowSubcommandHelp(c)
		}
		prepare(cmd.Subcommands, name+" ", all)
	}
}

func usageError(_ *cli.Context, err error, _ bool) error {
	return cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("%w: see `s3levelfs -h`", err))
}
