package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/backend"
	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/internal/config"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/s3store"
)

// checkStore looks at what is on the other side. It reads only: the clock, and one key of a level.
func checkStore(ctx context.Context, cfg *config.Loaded) []finding {
	if cfg.Local != "" {
		return nil // the embedded one is of this machine
	}
	found := []finding{}
	switch {
	case backend.UsesCognito(cfg):
		found = checkLogin(ctx, cfg)
	case cfg.ProviderPlace == "":
		found = append(found, checkCredentials(ctx, cfg.Profile))
	}
	if cfg.ProviderPlace != "" {
		return append(found, checkBucket(ctx, cfg)) // what it needs besides the provider knows
	}
	if f, ok := checkClock(ctx, endpointURL(cfg)); ok {
		found = append(found, f)
	}
	if cfg.Bucket == "" {
		return append(found, note("bucket", cfg.Endpoint, "--bucket NAME", "no bucket was named: it is not asked"))
	}
	return append(found, checkBucket(ctx, cfg))
}

// endpointURL is where requests go.
func endpointURL(cfg *config.Loaded) string {
	switch {
	case cfg.Endpoint != "":
		return cfg.Endpoint
	case cfg.Region != "":
		return "https://s3." + cfg.Region + ".amazonaws.com"
	}
	return "https://s3.amazonaws.com"
}

// checkCredentials names the kind of what the AWS chain finds.
func checkCredentials(ctx context.Context, profile string) finding {
	const name = "credentials"
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	c, err := s3store.FindCredentials(ctx, profile)
	switch {
	case err != nil:
		return problem(name, "AWS chain", "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or `aws sso login`", "%v", err)
	case c.Expires.IsZero():
		return good(name, "AWS chain", "%s", c.Kind)
	case time.Until(c.Expires) <= 0:
		return problem(name, "AWS chain", "renew them", "%s: they have expired %s", c.Kind, cmdline.Ago(c.Expires))
	}
	return good(name, "AWS chain", "%s, good for %v", c.Kind, time.Until(c.Expires).Round(time.Second))
}

// checkClock compares with the Date of any answer, refused or not; ok is false where there is none to be had.
func checkClock(ctx context.Context, endpoint string) (f finding, ok bool) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return f, false
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodHead, endpoint, nil)
	if err != nil {
		return f, false
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	began := time.Now()
	answer, err := client.Do(r)
	if err != nil {
		return problem("endpoint", u.Redacted(), "check --endpoint and the network", "does not answer: %v", errors.Unwrap(err)), true
	}
	_ = answer.Body.Close()
	theirs, err := http.ParseTime(answer.Header.Get("Date"))
	if err != nil {
		return note("clock", u.Redacted(), "", "the server does not tell the time"), true
	}
	return clockFinding(u.Redacted(), began.Add(time.Since(began)/2), theirs), true
}

// checkBucket lists one key, as a mount does.
func checkBucket(ctx context.Context, cfg *config.Loaded) finding {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	b, err := backend.OpenStore(ctx, cfg, zap.NewNop())
	if err == nil {
		err = b.Reach(ctx, cfg.Bucket)
		_ = b.Store.Close()
	}
	if err == nil {
		return good("bucket", cfg.Bucket, "answers")
	}
	mend := "check --bucket, --endpoint, --region and the credentials"
	for kind, how := range map[error]string{
		store.ErrNoBucket: "check --bucket, --region and --endpoint", store.ErrClockSkew: "set the clock: timedatectl set-ntp true",
		store.ErrTransient: "check --endpoint and the network", store.ErrPermission: "check the policy of the role, and --identity-id",
		store.ErrExpired: "renew the credentials", store.ErrCredentials: "give valid credentials",
	} {
		if errors.Is(err, kind) {
			mend = how
		}
	}
	return problem("bucket", cfg.Bucket, mend, "%s", cmdline.OneLine(fmt.Sprint(err)))
}
