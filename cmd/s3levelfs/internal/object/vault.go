package object

import (
	"errors"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
)

// VaultCommand is Amplify's Storage.vault: every command on objects, with the private level.
func VaultCommand() *cli.Command {
	verbs := StorageCommands()
	for _, cmd := range verbs {
		inVault(cmd)
	}
	return &cli.Command{
		Name:        "vault",
		Usage:       "put, get, ls, rm … in the private level",
		ArgsUsage:   "VERB …",
		Description: "Each command that works on objects, with --level private.",
		Subcommands: verbs,
	}
}

// inVault binds a command to the private level.
func inVault(cmd *cli.Command) {
	cmd.Flags = slices.DeleteFunc(cmd.Flags, func(f cli.Flag) bool { return f.Names()[0] == "level" || f.Names()[0] == "owner" })
	cmd.Flags = append(cmd.Flags, &cli.StringFlag{Name: "level", Hidden: true, Value: "private"})
	run := cmd.Action
	cmd.Action = func(c *cli.Context) error {
		if c.IsSet("level") && c.String("level") != "private" {
			return cmdline.WithCode(cmdline.ExitUsage, errors.New("--level: the vault is the private level: leave one of them out"))
		}
		if err := c.Set("level", "private"); err != nil {
			return err
		}
		return run(c)
	}
}
