package doctor

import (
	"context"
	"strings"
	"time"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/backend"
	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/internal/config"
)

// checkLogin asks Cognito for credentials as a mount does, and tells of a role that is not what a user may expect.
func checkLogin(ctx context.Context, cfg *config.Loaded) []finding {
	const name = "login"
	pool := cfg.Cognito.IdentityPoolID
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	w, err := backend.OpenIdentity(ctx, cfg)
	if err != nil {
		return []finding{problem(name, pool, "s3levelfs login, or --guest; s3levelfs whoami tells more", "%s", cmdline.OneLine(err.Error()))}
	}
	defer w.Close()
	kind := "a guest"
	if w.Authenticated {
		kind = "signed in"
	}
	found := []finding{good(name, pool, "%s, identity %s, credentials good for %v", kind, w.ID, time.Until(w.Source.State().Expires).Round(time.Second))}
	app, err := backend.NewCognito(cfg)
	if err != nil || !w.Authenticated {
		return found
	}
	l, _, err := app.Tokens.Load(ctx, app.Slot)
	if err != nil {
		return append(found, problem(name, app.Tokens.Where(app.Slot), "s3levelfs login", "%s", cmdline.OneLine(err.Error())))
	}
	if c, err := l.Claims(); err == nil && c.PreferredRole != "" && cfg.Cognito.RoleARN == "" {
		found = append(found, note("role", c.PreferredRole, "--role-arn ARN takes another of your roles",
			"is that of your group (%s), not that of all who are signed in: it may lack your own private/ and protected/", strings.Join(c.Groups, ", ")))
	}
	return found
}
