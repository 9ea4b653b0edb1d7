package bucket

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/backend"
	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/internal/config"
	"github.com/s3levelfs/s3levelfs/internal/rolepolicy"
	"github.com/s3levelfs/s3levelfs/internal/setup"
	"github.com/s3levelfs/s3levelfs/store/s3store"
)

// InitCommand is `init`: it prints or applies the set-up of a bucket.
func InitCommand() *cli.Command {
	return &cli.Command{
		Name:      "init",
		Usage:     "set a bucket up for an Amplify app; without --apply only tell what is missing",
		ArgsUsage: " ",
		Description: "What a bucket needs, step by step, each done, to do, already there, denied (with the mend) or not supported by the server:\n\n" +
			"   the bucket itself (with --create)\n" +
			"   the CORS rule without which browsers are kept out; rules of others stay\n" +
			"   a lifecycle rule that aborts uploads in parts which nobody ends; rules of others stay\n" +
			"   the policies of the app's roles, as commands of the AWS CLI that attach them: roles are changed by other people\n" +
			"   than buckets, and often by CloudFormation, which would take a change of ours for drift\n\n" +
			"   s3levelfs init --bucket B --region R                        look\n" +
			"   s3levelfs init --bucket B --region R --create --apply       do it\n\n" +
			"Exits with 77 when a step was denied.",
		Flags: append(append(ruleFlags(),
			&cli.BoolFlag{Name: "apply", Usage: "do it; without this nothing is changed"},
			&cli.BoolFlag{Name: "create", Usage: "make the bucket if there is none"},
			&cli.IntFlag{Name: "abort-days", Value: setup.DefaultAbortDays, Usage: "abort uploads in parts after `N` days, 1 to 365"},
			crudFlag("crud", "who is signed in"), crudFlag("guest-crud", "a guest"),
			&cli.StringFlag{Name: "auth-role", Usage: "`NAME` of the IAM role of who is signed in"},
			&cli.StringFlag{Name: "unauth-role", Usage: "`NAME` of the IAM role of guests"},
			multipartFlag(), taggingFlag(), cmdline.JSONFlag(),
		), cmdline.GroupFlags(config.GroupStore)...),
		Action: func(c *cli.Context) error { return backend.WithBucket(c, "init", initializer(c)) },
	}
}

// statePrinted is that of a step which is the administrator's to do.
const statePrinted setup.State = "for you to run"

func initializer(c *cli.Context) func(context.Context, *config.Loaded, *s3store.Store) error {
	return func(ctx context.Context, cfg *config.Loaded, s *s3store.Store) error {
		rule, err := wantedRule(c)
		if err != nil {
			return err
		}
		days := c.Int("abort-days")
		if days < 1 || days > 365 {
			return cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("--abort-days: %d is not from 1 to 365", days))
		}
		roles, err := roleSteps(c, cfg)
		if err != nil {
			return err
		}
		steps := setup.Run(ctx, s, setup.Plan{Name: cfg.Bucket, Create: c.Bool("create"), CORS: rule, AbortDays: days, Apply: c.Bool("apply")})
		steps = append(steps, roles...)
		if c.Bool("json") {
			err = cmdline.PrintJSON(c.App.Writer, steps)
		} else {
			err = writeSteps(c.App.Writer, steps, c.Bool("apply"))
		}
		return errors.Join(err, worst(steps, cfg.Bucket))
	}
}

// roleSteps are the commands that attach the roles' policies.
func roleSteps(c *cli.Context, cfg *config.Loaded) ([]setup.Step, error) {
	var steps []setup.Step
	for _, r := range []struct {
		role                     rolepolicy.Role
		name, crud, flag, absent string
	}{
		{rolepolicy.Auth, "auth", "crud", "auth-role", "AUTH_ROLE"}, {rolepolicy.Guest, "unauth", "guest-crud", "unauth-role", "UNAUTH_ROLE"},
	} {
		o, err := policyOptions(c, cfg, r.crud)
		if err != nil {
			return nil, err
		}
		d, err := rolepolicy.New(r.role, o)
		if err != nil {
			return nil, cmdline.WithCode(cmdline.ExitConfig, err)
		}
		if len(d.Statement) == 0 {
			continue // IAM has no empty policies
		}
		var text bytes.Buffer
		e := json.NewEncoder(&text)
		e.SetEscapeHTML(false)
		if err := e.Encode(d); err != nil {
			return nil, err
		}
		name := c.String(r.flag)
		if name == "" {
			name = r.absent
		}
		steps = append(steps, setup.Step{Name: "policy " + r.name, State: statePrinted, Says: []string{fmt.Sprintf(
			"aws iam put-role-policy --role-name %s --policy-name s3levelfs-%s --policy-document %s", cmdline.Quoted(name), r.name, cmdline.Quoted(cmdline.OneLine(text.String())))}})
	}
	return steps, nil
}

func writeSteps(w io.Writer, steps []setup.Step, applied bool) error {
	todo := 0
	for _, s := range steps {
		if s.State == setup.ToDo {
			todo++
		}
		if _, err := fmt.Fprintf(w, "%-14s %s\n", s.State, s.Name); err != nil {
			return err
		}
		for _, line := range s.Says {
			if _, err := fmt.Fprintf(w, "%15s%s\n", "", line); err != nil {
				return err
			}
		}
		if s.Mend != "" {
			if _, err := fmt.Fprintf(w, "%15s-> %s\n", "", s.Mend); err != nil {
				return err
			}
		}
	}
	if todo > 0 && !applied {
		_, err := fmt.Fprintf(w, "nothing was changed: --apply does what is to do\n")
		return err
	}
	return nil
}

// worst is the error that a command ends with: denied counts more than failed. What the server does not have is no failure.
func worst(steps []setup.Step, bucket string) error {
	var failed error
	for _, s := range steps {
		switch s.State {
		case setup.Denied:
			return cmdline.WithCode(cmdline.ExitPermission, fmt.Errorf("bucket %s: the step %s was denied: it %s", bucket, s.Name, s.Mend))
		case setup.Failed:
			if failed == nil {
				failed = fmt.Errorf("bucket %s: the step %s has failed: %w", bucket, s.Name, s.Err)
			}
		case setup.Done, setup.ToDo, setup.There, setup.Unsupported:
		}
	}
	return failed
}
