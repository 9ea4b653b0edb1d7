package backend

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/s3levelfs/s3levelfs/identity"
	"github.com/s3levelfs/s3levelfs/internal/amplify"
	"github.com/s3levelfs/s3levelfs/internal/config"
	"github.com/s3levelfs/s3levelfs/levels"
)

// pathRules are the rules of the app's paths in the bucket that is used; nil where the app's file has none, so that levels are shown.
func pathRules(cfg *config.Loaded) ([]levels.PathRule, error) {
	if cfg.AppBucket == nil {
		return nil, nil
	}
	var rules []levels.PathRule
	for _, p := range cfg.AppBucket.Paths {
		r := levels.PathRule{Pattern: p.Pattern, Rules: map[string]levels.Perm{}}
		for who, actions := range p.Rules {
			perm, err := levels.ParsePerm(strings.Join(actions, ","))
			if err != nil {
				return nil, fmt.Errorf("%s: path %s: %s: %w", cfg.App.File, p.Pattern, who, err)
			}
			r.Rules[who] = perm
		}
		rules = append(rules, r)
	}
	return rules, nil
}

// groupsOf are the groups that decide of a user's role, the one that Cognito takes first: the lowest precedence number of the app's
// file. A token without a preferred role has that of all who are signed in, whatever groups there are.
func groupsOf(app *amplify.App, l *identity.Login) []string {
	claims, err := l.Claims()
	if err != nil || claims.PreferredRole == "" {
		return nil
	}
	precedence := map[string]int{}
	if app != nil {
		for _, g := range app.Groups {
			precedence[g.Name] = g.Precedence
		}
	}
	of := func(group string) int {
		if n, ok := precedence[group]; ok {
			return n
		}
		return math.MaxInt
	}
	groups := slices.Clone(claims.Groups)
	slices.SortStableFunc(groups, func(a, b string) int { return cmp.Compare(of(a), of(b)) })
	return groups
}
