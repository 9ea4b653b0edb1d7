package identity_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"github.com/zalando/go-keyring"
	"go.uber.org/goleak"

	"github.com/s3levelfs/s3levelfs/identity"
	"github.com/s3levelfs/s3levelfs/identity/cognitotest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	clientSecret = "client-secret-of-the-app"
	password     = "Corr3ct-Horse!"
)

// stage is a fake Cognito and what talks to it, without a network.
type stage struct {
	t      *testing.T
	fake   *cognitotest.Server
	users  *identity.UserPool
	pool   *identity.Pool
	tokens *identity.Tokens
	slot   identity.Slot
}

func newStage(t *testing.T, cfg cognitotest.Config, change ...func(*identity.PoolConfig)) *stage {
	t.Helper()
	fake, err := cognitotest.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	users, err := identity.NewUserPool(identity.UserPoolConfig{
		ID: cognitotest.UserPoolID, ClientID: cognitotest.ClientID, ClientSecret: identity.Secret(cfg.ClientSecret),
		Endpoint: "http://cognito.test", Transport: fake.Transport(),
	})
	if err != nil {
		t.Fatal(err)
	}
	pc := identity.PoolConfig{ID: cognitotest.IdentityPoolID, Endpoint: "http://cognito.test", Transport: fake.Transport()}
	for _, c := range change {
		c(&pc)
	}
	pool, err := identity.NewPool(pc)
	if err != nil {
		t.Fatal(err)
	}
	return &stage{
		t: t, fake: fake, users: users, pool: pool, tokens: identity.NewTokens(identity.TokensConfig{Dir: filepath.Join(t.TempDir(), "identity")}),
		slot: identity.UserSlot(cognitotest.UserPoolID, cognitotest.ClientID),
	}
}

// signIn signs somebody in, with what a command does, and stores it.
func (s *stage) signIn(name string) *identity.Login {
	s.t.Helper()
	l, err := s.users.SignIn(s.t.Context(), name, password, identity.FlowSRP, &script{})
	if err == nil {
		err = s.tokens.Replace(s.t.Context(), s.slot, l)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return l
}

// source keeps the stored login's credentials fresh until the test ends.
func (s *stage) source() *identity.Source {
	src := identity.NewSource(identity.SourceConfig{IdentityPool: s.pool, UserPool: s.users, Tokens: s.tokens, Slot: s.slot})
	s.t.Cleanup(src.Close)
	return src
}

func (s *stage) guestSource() *identity.Source {
	src := identity.NewSource(identity.SourceConfig{IdentityPool: s.pool, Tokens: s.tokens})
	s.t.Cleanup(src.Close)
	return src
}

// script answers a sign-in's questions.
type script struct {
	codes      []func() string // one for each question
	chosen     identity.CodeKind
	password   identity.Secret
	attributes map[string]string

	asked []string // what was asked
}

var errUnasked = errors.New("a question that the test does not expect")

func (p *script) NewPassword(_ context.Context, attributes []string) (identity.Secret, map[string]string, error) {
	p.asked = append(append(p.asked, "new password"), attributes...)
	return p.password, p.attributes, nil
}

func (p *script) Code(_ context.Context, kind identity.CodeKind, sentTo string, again bool) (identity.Secret, error) {
	q := string(kind) + " " + sentTo
	if again {
		q += " again"
	}
	p.asked = append(p.asked, q)
	if len(p.codes) == 0 {
		return "", errUnasked
	}
	code := p.codes[0]
	p.codes = p.codes[1:]
	return identity.Secret(code()), nil
}

func (p *script) Choose(_ context.Context, kinds []identity.CodeKind) (identity.CodeKind, error) {
	for _, k := range kinds {
		p.asked = append(p.asked, "choice "+string(k))
	}
	return p.chosen, nil
}

// ring is go-keyring's mock behind a lock, which the mock has not.
type ring struct {
	mu  sync.Mutex
	err error // of every call
}

func (r *ring) Get(service, name string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return "", r.err
	}
	return keyring.Get(service, name)
}

func (r *ring) Set(service, name, secret string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	return keyring.Set(service, name, secret)
}

func (r *ring) Delete(service, name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	return keyring.Delete(service, name)
}
