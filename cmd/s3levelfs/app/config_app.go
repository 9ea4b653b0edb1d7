package app

import (
	"fmt"
	"slices"
	"strings"

	"github.com/s3levelfs/s3levelfs/internal/amplify"
	"github.com/s3levelfs/s3levelfs/internal/config"
)

// shownApp is what an app's file says that is no setting.
func shownApp(cfg *config.Loaded) (all []shown) {
	app := cfg.App
	if app == nil {
		return nil
	}
	add := func(name, value, origin string) {
		if value != "" {
			all = append(all, shown{"app." + name, value, origin})
		}
	}
	add("shape", string(app.Shape), app.File)
	add("client-secret", app.UserPool.ClientSecret.String(), app.Origin("UserPool.ClientSecret"))
	add("auth-flow", app.UserPool.AuthFlow, app.Origin("UserPool.AuthFlow"))
	add("guests", string(app.Guests), app.Origin("Guests"))
	add("mfa", strings.TrimSpace(app.MFA.Mode+" "+strings.Join(app.MFA.Methods, ", ")), app.Origin("MFA.Mode"))
	add("username", strings.Join(app.UsernameAttributes, ", "), app.File)
	var groups []string
	for _, g := range app.Groups {
		groups = append(groups, g.Name)
	}
	add("groups", strings.Join(groups, ", "), app.Origin("Groups"))
	if len(app.Buckets) > 1 {
		for i := range app.Buckets {
			b := &app.Buckets[i]
			add("buckets."+b.Name, b.BucketName, app.Origin(fmt.Sprintf("Buckets[%d].BucketName", i)))
		}
	}
	return append(all, shownPaths(app, cfg.AppBucket)...)
}

// shownPaths are the access rules of the bucket in use.
func shownPaths(app *amplify.App, used *amplify.Bucket) (all []shown) {
	for i := range app.Buckets {
		if &app.Buckets[i] != used {
			continue
		}
		for p, path := range used.Paths {
			var rules []string
			for rule, actions := range path.Rules {
				rules = append(rules, rule+" "+strings.Join(actions, ","))
			}
			slices.Sort(rules)
			all = append(all, shown{"app.paths." + path.Pattern, strings.Join(rules, "; "), app.Origin(fmt.Sprintf("Buckets[%d].Paths[%d]", i, p))})
		}
	}
	return all
}
