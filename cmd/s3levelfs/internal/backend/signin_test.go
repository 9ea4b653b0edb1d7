package backend

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/identity"
	"github.com/s3levelfs/s3levelfs/identity/cognitotest"
	"github.com/s3levelfs/s3levelfs/internal/config"
	"github.com/s3levelfs/s3levelfs/store"
)

// TestSignInExitCodes: scripts tell a missing login from an outage.
func TestSignInExitCodes(t *testing.T) {
	for kind, want := range map[error]int{
		identity.ErrLoginNeeded: cmdline.ExitPermission, identity.ErrOtherIdentity: cmdline.ExitPermission, identity.ErrRefused: cmdline.ExitPermission, identity.ErrUnreachable: cmdline.ExitUnavailable,
	} {
		err := fmt.Errorf("mount: %w", &identity.Error{Op: "x", Kind: kind})
		if got := cmdline.ExitCode(err); got != want || !signInFailed(err) {
			t.Errorf("%v: exit code %d, want %d", kind, got, want)
		}
	}
}

// TestHandOver: an outage of Cognito is transient to the store, that nobody is signed in is not, and pauses uploads.
func TestHandOver(t *testing.T) { synctest.Test(t, handOverTest) }

func handOverTest(t *testing.T) {
	fake, err := cognitotest.New(cognitotest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	pool, err := identity.NewPool(identity.PoolConfig{ID: cognitotest.IdentityPoolID, Endpoint: "http://x", Transport: fake.Transport()})
	if err != nil {
		t.Fatal(err)
	}
	users, err := identity.NewUserPool(identity.UserPoolConfig{ID: cognitotest.UserPoolID, ClientID: cognitotest.ClientID, Endpoint: "http://x", Transport: fake.Transport()})
	if err != nil {
		t.Fatal(err)
	}
	tokens := identity.NewTokens(identity.TokensConfig{Dir: t.TempDir()})
	slot := identity.UserSlot(cognitotest.UserPoolID, cognitotest.ClientID)
	give := func() (store.Credentials, error) {
		src := identity.NewSource(identity.SourceConfig{IdentityPool: pool, UserPool: users, Tokens: tokens, Slot: slot})
		defer src.Close()
		return handOver(src)(t.Context())
	}
	if _, err := give(); !errors.Is(err, identity.ErrLoginNeeded) || errors.Is(err, store.ErrTransient) {
		t.Errorf("nobody is signed in: %v", err)
	}
	fake.AddUser(cognitotest.User{Name: "alice", Password: "Corr3ct-Horse!"})
	l, err := users.SignIn(t.Context(), "alice", "Corr3ct-Horse!", identity.FlowSRP, nil)
	if err == nil {
		err = tokens.Replace(t.Context(), slot, l)
	}
	if err != nil {
		t.Fatal(err)
	}
	if c, err := give(); err != nil || c.AccessKey == "" || c.SecretKey == "" || c.SessionToken == "" || !time.Now().Before(c.Expires) {
		t.Errorf("%v, %v", c, err)
	}
	fake.Throttle(1000)
	if _, err := give(); !errors.Is(err, store.ErrTransient) || !errors.Is(err, identity.ErrUnreachable) || strings.Contains(err.Error(), "\n") {
		t.Errorf("Cognito is away: %v", err)
	}
}

// TestWhoGivesCredentials: an identity id that is given is the AWS chain's, the embedded S3 has its own, else the pools decide.
func TestWhoGivesCredentials(t *testing.T) {
	for _, tt := range []struct {
		flags map[string]string
		want  bool
	}{
		{map[string]string{"identity-pool-id": "r:1"}, true},
		{map[string]string{"identity-pool-id": "r:1", "guest": "true"}, true},
		{map[string]string{"identity-pool-id": "r:1", "identity-id": "r:2"}, false},
		{map[string]string{"identity-pool-id": "r:1", "local": "d"}, false},
		{map[string]string{"guest": "true"}, false},
	} {
		l, err := config.Load(config.Sources{Flags: tt.flags, Getenv: func(string) (string, bool) { return "", false }})
		if err != nil || UsesCognito(l) != tt.want {
			t.Errorf("%v: %v, %v", tt.flags, UsesCognito(l), err)
		}
	}
	l, err := config.Load(config.Sources{Flags: map[string]string{"identity-pool-id": "r:1"}, Getenv: func(string) (string, bool) { return "", false }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenIdentity(context.Background(), l); cmdline.ExitCode(err) != cmdline.ExitConfig || !strings.Contains(err.Error(), "--guest") {
		t.Errorf("no user pool: %v", err)
	}
}
