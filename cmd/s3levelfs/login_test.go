package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/identity"
	"github.com/s3levelfs/s3levelfs/identity/cognitotest"
	"github.com/s3levelfs/s3levelfs/internal/config"
	"github.com/s3levelfs/s3levelfs/store"
)

func answers(lines string) (*asker, *strings.Builder) {
	said := &strings.Builder{}
	a := &asker{in: bufio.NewReader(strings.NewReader(lines)), say: said}
	a.secret = a.line
	return a, said
}

// TestQuestions: what is asked, and what the answers mean.
func TestQuestions(t *testing.T) {
	kinds := []identity.CodeKind{identity.CodeSMS, identity.CodeAuthenticator}
	for typed, want := range map[string]identity.CodeKind{"2\n": identity.CodeAuthenticator, "SMS\n": identity.CodeSMS, "1": identity.CodeSMS, "7\n": "7"} {
		a, said := answers(typed)
		got, err := a.Choose(t.Context(), kinds)
		if got != want || err != nil || !strings.Contains(said.String(), "1 SMS, 2 authenticator app") {
			t.Errorf("%q: %q, %v, asked %q", typed, got, err, said)
		}
	}
	a, said := answers("123456\r\n654321\n\n")
	for _, want := range []identity.Secret{"123456", "654321"} {
		if code, err := a.Code(t.Context(), identity.CodeSMS, "+***12", want != "123456"); code.Reveal() != want.Reveal() || err != nil {
			t.Errorf("%s, %v", code.Reveal(), err)
		}
	}
	if text := said.String(); text != "Code sent by SMS to +***12: That was wrong. Code sent by SMS to +***12: " {
		t.Errorf("asked %q", text)
	}
	if _, err := a.Code(t.Context(), identity.CodeAuthenticator, "", false); exitCode(err) != exitUsage {
		t.Errorf("an empty answer: %v", err)
	}
	a, _ = answers("")
	if _, _, err := a.account(""); err == nil {
		t.Error("no name was taken")
	}
	a, said = answers("alice\npass word \n")
	if user, password, err := a.account(""); user != "alice" || password.Reveal() != "pass word " || err != nil || strings.Contains(said.String(), "pass word") {
		t.Errorf("%q %q %v", user, password.Reveal(), err)
	}
}

// TestSignInExitCodes: scripts tell a missing login from an outage.
func TestSignInExitCodes(t *testing.T) {
	for kind, want := range map[error]int{
		identity.ErrLoginNeeded: exitPermission, identity.ErrOtherIdentity: exitPermission, identity.ErrRefused: exitPermission, identity.ErrUnreachable: exitUnavailable,
	} {
		err := fmt.Errorf("mount: %w", &identity.Error{Op: "x", Kind: kind})
		if got := exitCode(err); got != want || !signInFailed(err) {
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
		if err != nil || usesCognito(l) != tt.want {
			t.Errorf("%v: %v, %v", tt.flags, usesCognito(l), err)
		}
	}
	l, err := config.Load(config.Sources{Flags: map[string]string{"identity-pool-id": "r:1"}, Getenv: func(string) (string, bool) { return "", false }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openIdentity(context.Background(), l); exitCode(err) != exitConfig || !strings.Contains(err.Error(), "--guest") {
		t.Errorf("no user pool: %v", err)
	}
}

// TestLoginStatusForPeople: what is the case, and that nothing is lost.
func TestLoginStatusForPeople(t *testing.T) {
	text := func(l *loginStatus) string {
		var b strings.Builder
		writeLogin(func(name, format string, args ...any) {
			_, _ = io.WriteString(&b, name+" "+fmt.Sprintf(format, args...)+"\n")
		}, l)
		return b.String()
	}
	if text(nil) != "" {
		t.Error("a login where there is none")
	}
	if got := text(&loginStatus{Guest: true, Expires: time.Now().Add(time.Hour)}); !strings.Contains(got, "guest, credentials until") {
		t.Error(got)
	}
	got := text(&loginStatus{Needed: true, Error: identity.ErrLoginNeeded.Error(), Expires: time.Now().Add(-time.Minute)})
	for _, want := range []string{"expired", "s3levelfs login", "nothing is lost"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %s", want, got)
		}
	}
}
