package bucket

import (
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/internal/config"
	"github.com/s3levelfs/s3levelfs/internal/rolepolicy"
	"github.com/s3levelfs/s3levelfs/levels"
)

// PolicyCommand is `policy`: it prints the policies of the app's roles.
func PolicyCommand() *cli.Command {
	sub := func(name string, aliases []string, role rolepolicy.Role, usage string) *cli.Command {
		return &cli.Command{
			Name: name, Aliases: aliases, Usage: usage, ArgsUsage: " ",
			Flags:  policyFlags(role),
			Action: func(c *cli.Context) error { return printPolicy(c, role) },
		}
	}
	return &cli.Command{
		Name:  "policy",
		Usage: "print the IAM policy of a role of the app",
		Description: "The statements are those of Amplify's Storage guide and of its CLI's template, with the list conditions of your\n" +
			"prefixes. Nothing is asked and nothing is changed. `aws iam put-role-policy` attaches it; `s3levelfs init` shows how.\n\n" +
			"   s3levelfs policy auth --bucket B\n" +
			"   s3levelfs policy unauth --bucket B --crud r\n" +
			"   s3levelfs policy auth --bucket B --identity-id ID --principal ARN      a bucket policy for one identity\n" +
			"   s3levelfs policy auth --config amplify_outputs.json                    the rules of a Gen 2 app: its file, named or found, counts as in a mount",
		Subcommands: []*cli.Command{
			sub("auth", nil, rolepolicy.Auth, "who is signed in"),
			sub("unauth", []string{"guest"}, rolepolicy.Guest, "guests"),
			sub("group", nil, rolepolicy.Group, "members of a user pool's group: the whole bucket, of a Gen 2 app what its rules give"),
		},
	}
}

func policyFlags(role rolepolicy.Role) []cli.Flag {
	flags := []cli.Flag{
		crudFlag("crud", "the role"),
		&cli.StringFlag{Name: "principal", Usage: "make it a bucket policy for this `ARN`"},
		multipartFlag(), taggingFlag(), cmdline.JSONFlag(),
		&cli.StringFlag{Name: "config", Usage: "read settings from `FILE`: TOML, or an Amplify app's own", Category: "store options"},
	}
	if role == rolepolicy.Group {
		flags = append(flags, &cli.StringFlag{Name: "group", Usage: "`NAME` of the group, for an app with rules of paths"})
	}
	return append(flags, cmdline.NamedFlags("bucket", "storage-bucket", "region", "identity-id", "public-prefix", "protected-prefix", "private-prefix")...)
}

func crudFlag(name, who string) cli.Flag {
	return &cli.StringFlag{Name: name, Value: "c,r,u,d", Usage: "what " + who + " may do, `SET` of c (create), r (read and list), u (update), d (delete), or none; c and u are both s3:PutObject"}
}

func multipartFlag() cli.Flag {
	return &cli.BoolFlag{Name: "multipart", Usage: "grant AbortMultipartUpload and ListMultipartUploadParts too: without them an upload that is given up stays until the lifecycle rule aborts it"}
}

func taggingFlag() cli.Flag {
	return &cli.BoolFlag{Name: "tagging", Usage: "grant reading and writing objects' tags too, which Amplify's roles lack"}
}

func printPolicy(c *cli.Context, role rolepolicy.Role) error {
	if c.NArg() > 0 {
		return cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("policy %s takes no arguments: see `s3levelfs policy %[1]s -h`", c.Command.Name))
	}
	cfg, err := cmdline.LoadConfig(c)
	if err != nil {
		return err
	}
	o, err := policyOptions(c, cfg, "crud")
	if err != nil {
		return err
	}
	if c.IsSet("identity-id") { // who one is does not matter, only whom the policy is for
		o.IdentityID = cfg.IdentityID
	}
	if arn := c.String("principal"); arn != "" {
		o.Principals = []string{arn}
	}
	d, err := renderPolicy(c, cfg, role, o)
	if err != nil {
		return err
	}
	if len(d.Statement) == 0 {
		return cmdline.WithCode(cmdline.ExitUsage, errors.New("nothing is granted, and IAM has no empty policies: give the role none, or choose a --crud that grants something"))
	}
	return cmdline.PrintJSON(c.App.Writer, d)
}

// renderPolicy chooses between the levels and the rules of the app's paths.
func renderPolicy(c *cli.Context, cfg *config.Loaded, role rolepolicy.Role, o rolepolicy.Options) (rolepolicy.Document, error) {
	if cfg.AppBucket != nil && len(cfg.AppBucket.Paths) > 0 {
		return pathsPolicy(c, cfg, role, o)
	}
	if c.String("group") != "" {
		return rolepolicy.Document{}, cmdline.WithCode(cmdline.ExitUsage, errors.New("--group is for an app with rules of paths: without them all groups have the whole bucket"))
	}
	d, err := rolepolicy.New(role, o)
	return d, cmdline.WithCode(cmdline.ExitConfig, err)
}

// policyOptions are those that policy and init share.
func policyOptions(c *cli.Context, cfg *config.Loaded, crud string) (rolepolicy.Options, error) {
	can, err := rolepolicy.ParseCRUD(c.String(crud))
	if err != nil {
		return rolepolicy.Options{}, cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("--%s: %w", crud, err))
	}
	return rolepolicy.Options{
		Bucket: cfg.Bucket, Partition: partitionOf(cfg.Region), Prefixes: prefixesOf(cfg), Can: can,
		Multipart: c.Bool("multipart"), Tagging: c.Bool("tagging"),
	}, nil
}

func prefixesOf(cfg *config.Loaded) levels.Prefixes {
	return levels.Prefixes{Public: cfg.PublicPrefix.Ptr(), Protected: cfg.ProtectedPrefix.Ptr(), Private: cfg.PrivatePrefix.Ptr()}
}

// partitionOf is the part of AWS that a region is in, as ARNs name it. Source: AWS general reference, "Amazon Resource Names".
func partitionOf(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

func pathsPolicy(c *cli.Context, cfg *config.Loaded, role rolepolicy.Role, o rolepolicy.Options) (rolepolicy.Document, error) {
	file := cfg.App.File
	if c.IsSet("crud") {
		return rolepolicy.Document{}, cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("%s says what each path allows: leave --crud out", file))
	}
	who := map[rolepolicy.Role]string{
		rolepolicy.Auth: rolepolicy.RuleAuthenticated, rolepolicy.Guest: rolepolicy.RuleGuest, rolepolicy.Group: rolepolicy.RuleGroups + c.String("group"),
	}[role]
	if who == rolepolicy.RuleGroups {
		return rolepolicy.Document{}, cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("%s has rules for each group: name one with --group NAME", file))
	}
	rules := rolepolicy.Rules{}
	for _, p := range cfg.AppBucket.Paths {
		rules[p.Pattern] = p.Rules
	}
	d, err := rolepolicy.Paths(rules, who, o)
	if err != nil {
		return d, cmdline.WithCode(cmdline.ExitConfig, fmt.Errorf("%s: %w", file, err))
	}
	return d, nil
}
