package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/backend"
	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/internal/config"
	"github.com/s3levelfs/s3levelfs/internal/setup"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/s3store"
)

// CORSCommand is `cors`: it prints, applies and checks the bucket's CORS rules.
func CORSCommand() *cli.Command {
	return &cli.Command{
		Name:  "cors",
		Usage: "what browsers may do with the bucket: print, apply or check the rule that Amplify apps need",
		Subcommands: []*cli.Command{
			{
				Name: "print", Usage: "print Amplify's rule as JSON, as `aws s3api put-bucket-cors` takes it", ArgsUsage: " ",
				Flags:  append(ruleFlags(), &cli.BoolFlag{Name: "xml", Usage: "print XML, as the S3 API takes it"}, cmdline.JSONFlag()),
				Action: corsPrint,
			},
			{
				Name: "apply", Usage: "add Amplify's rule to those of the bucket, which all stay", ArgsUsage: " ",
				Description: "Rules of others stay as they are. Amplify's rule for the same origins gains what it lacks; for other origins a rule is\n" +
					"added. S3 replaces all rules at once and knows no condition: let nobody else change them at the same moment.",
				Flags: append(append(ruleFlags(), &cli.BoolFlag{Name: "dry-run", Usage: "say what would change, and change nothing"}, cmdline.JSONFlag()),
					cmdline.GroupFlags(config.GroupStore)...),
				Action: func(c *cli.Context) error { return backend.WithBucket(c, "cors apply", corsApplier(c)) },
			},
			{
				Name: "check", Usage: "tell whether browsers are let in, with --origin by asking as they do", ArgsUsage: " ",
				Description: "Without --origin the bucket's rules are compared with Amplify's. With it a preflight (OPTIONS) is sent for each method and\n" +
					"header of an app's requests, as a browser on a page from there would; that needs no rights. Exits with 2 when something is not\n" +
					"allowed.\n\n   s3levelfs cors check --bucket B --region R --origin https://app.example.com",
				Flags:  append(append(ruleFlags(), cmdline.JSONFlag()), cmdline.GroupFlags(config.GroupStore)...),
				Action: func(c *cli.Context) error { return backend.WithBucket(c, "cors check", corsChecker(c)) },
			},
		},
	}
}

// ruleFlags choose what is in the rule.
func ruleFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "origin", Usage: "`ORIGIN` of the app's pages, such as https://app.example.com, several times if need be; default: every one (*)"},
		&cli.StringSliceFlag{Name: "expose", Usage: "`HEADER` of answers that pages may read beside Amplify's, such as x-amz-meta-author, several times if need be"},
	}
}

// wantedRule is the rule that a command's flags describe.
func wantedRule(c *cli.Context) (s3store.CORSRule, error) {
	for _, o := range c.StringSlice("origin") {
		if err := setup.CheckOrigin(o); err != nil {
			return s3store.CORSRule{}, cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("--origin: %w", err))
		}
	}
	for _, h := range c.StringSlice("expose") {
		if h == "" || strings.ContainsAny(h, " :/,*") {
			return s3store.CORSRule{}, cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("--expose: %q is no name of a header: write it out, such as x-amz-meta-author", h))
		}
	}
	return setup.AmplifyCORS(c.StringSlice("origin"), c.StringSlice("expose")), nil
}

// corsRules is what `aws s3api put-bucket-cors --cors-configuration` takes.
type corsRules struct {
	CORSRules []s3store.CORSRule `json:"CORSRules"`
}

func corsPrint(c *cli.Context) error {
	if c.NArg() > 0 {
		return cmdline.WithCode(cmdline.ExitUsage, errors.New("cors print takes no arguments, only options: see `s3levelfs cors print -h`"))
	}
	rule, err := wantedRule(c)
	if err != nil {
		return err
	}
	if !c.Bool("xml") {
		return cmdline.PrintJSON(c.App.Writer, corsRules{[]s3store.CORSRule{rule}})
	}
	text, err := setup.CORSXML([]s3store.CORSRule{rule})
	if err == nil {
		_, err = c.App.Writer.Write(text)
	}
	return err
}

// corsDone is what apply tells scripts.
type corsDone struct {
	Changes []string `json:"changes"`
	Applied bool     `json:"applied"`
	corsRules
}

func corsApplier(c *cli.Context) func(context.Context, *config.Loaded, *s3store.Store) error {
	return func(ctx context.Context, cfg *config.Loaded, s *s3store.Store) error {
		want, err := wantedRule(c)
		if err != nil {
			return err
		}
		rules, err := s.CORS(ctx)
		if err != nil {
			return refusedSetup(err, cfg.Bucket, "s3:GetBucketCORS")
		}
		merged, changes, err := setup.MergeCORS(rules, want)
		if err != nil {
			return cmdline.WithCode(cmdline.ExitConfig, fmt.Errorf("bucket %s: %w", cfg.Bucket, err))
		}
		apply := len(changes) > 0 && !c.Bool("dry-run")
		if apply {
			if err := s.PutCORS(ctx, merged); err != nil {
				return refusedSetup(err, cfg.Bucket, "s3:PutBucketCORS")
			}
		}
		changes = append(changes, setup.Hidden(merged, want)...)
		if c.Bool("json") {
			return cmdline.PrintJSON(c.App.Writer, corsDone{append([]string{}, changes...), apply, corsRules{merged}})
		}
		return writeCORSDone(c.App.Writer, changes, apply, c.Bool("dry-run"))
	}
}

func writeCORSDone(w io.Writer, changes []string, applied, dry bool) error {
	for _, change := range changes {
		if _, err := fmt.Fprintln(w, change); err != nil {
			return err
		}
	}
	end := "the bucket has the rule already: nothing was changed"
	switch {
	case applied:
		end = "done; all other rules are as they were"
	case dry && len(changes) > 0:
		end = "nothing was changed (--dry-run)"
	}
	_, err := fmt.Fprintln(w, end)
	return err
}

// refusedSetup says in one line what a call for setting up needs.
func refusedSetup(err error, bucket, action string) error {
	switch {
	case s3store.Unsupported(err):
		return fmt.Errorf("bucket %s: this server has no such call (%w)", bucket, err)
	case errors.Is(err, store.ErrPermission):
		return fmt.Errorf("bucket %s: needs %s: use the credentials of who administers the bucket (%w)", bucket, action, err)
	}
	return backend.Describe(err, bucket)
}
