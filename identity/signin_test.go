package identity_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/s3levelfs/s3levelfs/identity"
	"github.com/s3levelfs/s3levelfs/identity/cognitotest"
)

// TestSignIn: both flows, each second factor, a temporary password, with and without a client secret, against a server that
// does SRP on its side.
func TestSignIn(t *testing.T) {
	const name = "alice"
	tests := map[string]struct {
		cfg   cognitotest.Config
		user  cognitotest.User
		ask   func(s *cognitotest.Server) *script
		asked []string
	}{
		"password alone": {},
		"client secret":  {cfg: cognitotest.Config{ClientSecret: clientSecret}},
		"SMS": {
			user:  cognitotest.User{MFA: []string{cognitotest.MFASMS}},
			ask:   func(s *cognitotest.Server) *script { return &script{codes: codes(sent(s, name))} },
			asked: []string{"SMS +*******1234"},
		},
		"e-mail, with a client secret": {
			cfg:   cognitotest.Config{ClientSecret: clientSecret},
			user:  cognitotest.User{MFA: []string{cognitotest.MFAEmail}},
			ask:   func(s *cognitotest.Server) *script { return &script{codes: codes(sent(s, name))} },
			asked: []string{"e-mail a***@e***"},
		},
		"authenticator, wrong at first": {
			user: cognitotest.User{MFA: []string{cognitotest.MFATOTP}},
			ask: func(s *cognitotest.Server) *script {
				return &script{codes: codes(func() string { return "none" }, func() string { return " " + s.TOTP(name) + "\n" })}
			},
			asked: []string{"authenticator app ", "authenticator app  again"},
		},
		"a choice": {
			user: cognitotest.User{MFA: []string{cognitotest.MFASMS, cognitotest.MFATOTP, cognitotest.MFAEmail}},
			ask: func(s *cognitotest.Server) *script {
				return &script{chosen: identity.CodeSMS, codes: codes(sent(s, name))}
			},
			asked: []string{"choice SMS", "choice authenticator app", "choice e-mail", "SMS +*******1234"},
		},
		"temporary password, then a code": {
			user: cognitotest.User{NewPassword: true, Required: []string{"name"}, MFA: []string{cognitotest.MFASMS}},
			ask: func(s *cognitotest.Server) *script {
				return &script{password: "An0ther-Password", attributes: map[string]string{"name": "Alice"}, codes: codes(sent(s, name))}
			},
			asked: []string{"new password", "name", "SMS +*******1234"},
		},
	}
	for what, tt := range tests {
		for _, flow := range []identity.Flow{identity.FlowSRP, identity.FlowPassword} {
			t.Run(what+" by "+string(flow), func(t *testing.T) {
				s := newStage(t, tt.cfg)
				tt.user.Name, tt.user.Password, tt.user.Groups = name, password, []string{"staff"}
				s.fake.AddUser(tt.user)
				ask := &script{}
				if tt.ask != nil {
					ask = tt.ask(s.fake)
				}
				l, err := s.users.SignIn(t.Context(), name, password, flow, ask)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(ask.asked, tt.asked) {
					t.Errorf("asked %q, want %q", ask.asked, tt.asked)
				}
				c, err := l.Claims()
				if err != nil || l.Username != name || l.Refresh == "" || l.Session == "" || !slices.Equal(c.Groups, []string{"staff"}) {
					t.Errorf("%+v %v", c, err)
				}
				if tt.user.NewPassword && s.fake.Attribute(name, "name") != "Alice" {
					t.Error("the attribute did not arrive")
				}
			})
		}
	}
}

func codes(c ...func() string) []func() string { return c }

func sent(s *cognitotest.Server, name string) func() string {
	return func() string { return s.SentCode(name) }
}

// TestSRPSendsNoPassword: what the default flow sends has nothing of the password in it.
func TestSRPSendsNoPassword(t *testing.T) {
	s := newStage(t, cognitotest.Config{NoPassword: true})
	s.fake.AddUser(cognitotest.User{Name: "alice", Password: "only-the-user-knows-this"})
	if _, err := s.users.SignIn(t.Context(), "alice", "only-the-user-knows-this", identity.FlowSRP, &script{}); err != nil {
		t.Fatal(err)
	}
	if n := s.fake.Calls("InitiateAuth"); n != 1 || s.fake.Calls("") != 2 {
		t.Errorf("%d calls, %d of them begin a sign-in", s.fake.Calls(""), n)
	}
}

// TestRefusedSignIns: each refusal is one line, with a mend, and shows nothing of what was typed.
func TestRefusedSignIns(t *testing.T) {
	tests := map[string]struct {
		user     cognitotest.User
		cfg      cognitotest.Config
		password identity.Secret
		flow     identity.Flow
		ask      *script
		says     string
	}{
		"wrong password":     {password: "wr0ng-passw0rd", says: "check user name and password"},
		"sent wrong":         {password: "wr0ng-passw0rd", flow: identity.FlowPassword, says: "check user name and password"},
		"not confirmed":      {user: cognitotest.User{State: "UserNotConfirmedException"}, says: "confirm it in the app"},
		"reset":              {user: cognitotest.User{State: "PasswordResetRequiredException"}, says: "has to be reset"},
		"flow not allowed":   {cfg: cognitotest.Config{NoPassword: true}, flow: identity.FlowPassword, says: "--auth-flow"},
		"codes wrong thrice": {user: cognitotest.User{MFA: []string{cognitotest.MFASMS}}, ask: &script{codes: codes(wrong, wrong, wrong)}, says: "the code is wrong"},
		"new one too short":  {user: cognitotest.User{NewPassword: true}, ask: &script{password: "sh0rt"}, says: "user pool's rules"},
		"not a factor":       {user: cognitotest.User{MFA: []string{cognitotest.MFASMS, cognitotest.MFATOTP}}, ask: &script{chosen: "pigeon"}, says: "pigeon"},
		"prompt fails":       {user: cognitotest.User{MFA: []string{cognitotest.MFASMS}}, ask: &script{}, says: errUnasked.Error()},
		"MFA has to be set up": {
			user: cognitotest.User{MFA: []string{"MFA_SETUP"}}, says: "do it in the app",
		},
		"only the app can": {user: cognitotest.User{MFA: []string{"CUSTOM_CHALLENGE"}}, says: "only the app can answer"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, tt.cfg)
			tt.user.Name, tt.user.Password = "alice", password
			s.fake.AddUser(tt.user)
			if tt.password == "" {
				tt.password = password
			}
			if tt.ask == nil {
				tt.ask = &script{}
			}
			_, err := s.users.SignIn(t.Context(), "alice", tt.password, tt.flow, tt.ask)
			if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("got %v, want %q", err, tt.says)
			}
			for _, secret := range s.fake.Secrets() {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error has a secret in it: %v", err)
				}
			}
		})
	}
	s := newStage(t, cognitotest.Config{})
	if _, err := s.users.SignIn(t.Context(), "nobody", password, identity.FlowSRP, &script{}); !errors.Is(err, identity.ErrRefused) {
		t.Errorf("an unknown user: %v", err)
	}
	if _, err := s.users.SignIn(t.Context(), "alice", password, "telepathy", &script{}); err == nil {
		t.Error("an unknown flow was taken")
	}
}

func wrong() string { return "nota-code" }

// TestThrottledSignIn: what asks to slow down is asked again, and to the end it is told as what it is.
func TestThrottledSignIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, cognitotest.Config{})
		s.fake.AddUser(cognitotest.User{Name: "alice", Password: password})
		s.fake.Throttle(2)
		if _, err := s.users.SignIn(t.Context(), "alice", password, identity.FlowSRP, &script{}); err != nil {
			t.Fatal(err)
		}
		if n := s.fake.Calls("InitiateAuth"); n != 3 {
			t.Errorf("%d attempts, want 3", n)
		}
		s.fake.Throttle(100)
		_, err := s.users.SignIn(t.Context(), "alice", password, identity.FlowSRP, &script{})
		if !errors.Is(err, identity.ErrUnreachable) {
			t.Errorf("throttled to the end: %v", err)
		}
		s.fake.Throttle(0)
		s.fake.SetDown(true)
		if _, err = s.users.SignIn(t.Context(), "alice", password, identity.FlowSRP, &script{}); !errors.Is(err, identity.ErrUnreachable) {
			t.Errorf("nobody there: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err = s.users.SignIn(ctx, "alice", password, identity.FlowSRP, &script{}); !errors.Is(err, context.Canceled) {
			t.Errorf("given up: %v", err)
		}
	})
}

func TestBadPools(t *testing.T) {
	for _, id := range []string{"", "us-east-1", "_x", "us-east-1_"} {
		if _, err := identity.NewUserPool(identity.UserPoolConfig{ID: id, ClientID: "c"}); err == nil {
			t.Errorf("user pool %q was taken", id)
		}
	}
	if _, err := identity.NewUserPool(identity.UserPoolConfig{ID: "us-east-1_a"}); err == nil {
		t.Error("a user pool without a client was taken")
	}
	for _, id := range []string{"", "us-east-1", ":x", "us-east-1:"} {
		if _, err := identity.NewPool(identity.PoolConfig{ID: id}); err == nil {
			t.Errorf("identity pool %q was taken", id)
		}
	}
}
