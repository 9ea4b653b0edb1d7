package bucket

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/backend"
	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/internal/config"
	"github.com/s3levelfs/s3levelfs/internal/setup"
	"github.com/s3levelfs/s3levelfs/store/s3store"
)

// corsFinding is one thing that a page of an origin may do or not.
type corsFinding struct {
	Origin  string `json:"origin"`
	What    string `json:"what"` // method, header (of requests, with PUT), exposed (header of answers), rule (all of it)
	Name    string `json:"name"`
	Allowed bool   `json:"allowed"`
}

func corsChecker(c *cli.Context) func(context.Context, *config.Loaded, *s3store.Store) error {
	return func(ctx context.Context, cfg *config.Loaded, s *s3store.Store) error {
		want, err := wantedRule(c)
		if err != nil {
			return err
		}
		var found []corsFinding
		if origins := c.StringSlice("origin"); len(origins) > 0 {
			found, err = preflights(ctx, s, origins, want, publicPrefix(cfg)+"s3levelfs-preflight")
			if err != nil {
				return backend.Describe(err, cfg.Bucket)
			}
		} else {
			rules, err := s.CORS(ctx)
			if err != nil {
				return refusedSetup(err, cfg.Bucket, "s3:GetBucketCORS, or give --origin to ask as a browser does")
			}
			_, lacking, err := setup.MergeCORS(rules, want)
			if err != nil {
				return cmdline.WithCode(cmdline.ExitConfig, err)
			}
			found = rulesFindings(rules, want, lacking)
		}
		if c.Bool("json") {
			err = cmdline.PrintJSON(c.App.Writer, found)
		} else {
			err = writeCORSFindings(c.App.Writer, found)
		}
		bad := 0
		for _, f := range found {
			if !f.Allowed {
				bad++
			}
		}
		if err == nil && bad > 0 {
			err = cmdline.WithCode(cmdline.ExitFound, fmt.Errorf("bucket %s: %s not allowed: `s3levelfs cors apply` adds what Amplify apps need", cfg.Bucket, cmdline.Plural(bad, "thing")))
		}
		return err
	}
}

// publicPrefix is where a preflight asks; rules are the whole bucket's.
func publicPrefix(cfg *config.Loaded) string {
	if cfg.PublicPrefix.Set {
		return cfg.PublicPrefix.Value
	}
	return "public/"
}

// rulesFindings judges the rules as they are written.
func rulesFindings(rules []s3store.CORSRule, want s3store.CORSRule, lacking []string) []corsFinding {
	found := []corsFinding{}
	for _, r := range rules {
		found = append(found, corsFinding{strings.Join(r.AllowedOrigins, ", "), "rule", fmt.Sprintf("%q: %s", r.ID, strings.Join(r.AllowedMethods, " ")), true})
	}
	for _, l := range append(lacking, setup.Hidden(rules, want)...) {
		found = append(found, corsFinding{strings.Join(want.AllowedOrigins, ", "), "rule", "for Amplify: " + l, false})
	}
	return found
}

// preflights asks as a browser does: one question for each method, and with PUT one for each header.
func preflights(ctx context.Context, s *s3store.Store, origins []string, want s3store.CORSRule, key string) ([]corsFinding, error) {
	var found []corsFinding
	for _, origin := range origins {
		var exposed []string
		for _, method := range setup.CORSMethods() {
			a, err := s.Ask(ctx, key, s3store.Preflight{Origin: origin, Method: method})
			if err != nil {
				return nil, err
			}
			if method == "GET" {
				exposed = a.Exposed
			}
			found = append(found, corsFinding{origin, "method", method, a.Allowed})
		}
		for _, header := range setup.RequestHeaders() {
			a, err := s.Ask(ctx, key, s3store.Preflight{Origin: origin, Method: "PUT", Headers: []string{header}})
			if err != nil {
				return nil, err
			}
			found = append(found, corsFinding{origin, "header", header, a.Allowed})
		}
		for _, header := range want.ExposeHeaders {
			readable := slices.ContainsFunc(exposed, func(e string) bool { return strings.EqualFold(e, header) })
			found = append(found, corsFinding{origin, "exposed", header, readable})
		}
	}
	return found, nil
}

func writeCORSFindings(w io.Writer, found []corsFinding) error {
	for _, f := range found {
		word := "yes"
		if !f.Allowed {
			word = "NO"
		}
		if _, err := fmt.Fprintf(w, "%-3s  %-8s %s  (%s)\n", word, f.What, cmdline.Printable(f.Name), cmdline.Printable(f.Origin)); err != nil {
			return err
		}
	}
	return nil
}
