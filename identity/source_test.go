package identity_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/s3levelfs/s3levelfs/identity"
	"github.com/s3levelfs/s3levelfs/identity/cognitotest"
)

var _ aws.CredentialsProvider = (*identity.Source)(nil)

// bubble runs a test under a clock that moves when everybody waits.
func bubble(t *testing.T, cfg cognitotest.Config, do func(t *testing.T, s *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, cfg)
		s.fake.AddUser(cognitotest.User{Name: "alice", Password: password})
		s.fake.AddUser(cognitotest.User{Name: "bob", Password: password})
		do(t, s)
	})
}

func good(t *testing.T, src *identity.Source) aws.Credentials {
	t.Helper()
	c, err := src.Retrieve(t.Context())
	if err != nil || !c.CanExpire || !time.Now().Before(c.Expires) {
		t.Fatalf("credentials until %v: %v", c.Expires, err)
	}
	return c
}

// TestCredentialsStayFresh: ten minutes with credentials and tokens of a minute, and ten days with those of an hour: no call
// ever gets credentials that have expired, nor an error, and each renewal is asked for once.
func TestCredentialsStayFresh(t *testing.T) {
	for name, tt := range map[string]struct {
		life, step, total time.Duration
		most              int // renewals
	}{
		"a minute": {time.Minute, time.Second, 10 * time.Minute, 16},
		"an hour":  {time.Hour, time.Minute, 240 * time.Hour, 300},
	} {
		for _, rotate := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, rotating %v", name, rotate), func(t *testing.T) {
				bubble(t, cognitotest.Config{TokenLife: tt.life, CredentialsLife: tt.life, Rotate: rotate}, func(t *testing.T, s *stage) {
					s.signIn("alice")
					src := s.source()
					for end := time.Now().Add(tt.total); time.Now().Before(end); time.Sleep(tt.step) {
						good(t, src)
						good(t, src)
					}
					src.Close()
					if n := s.fake.Calls("GetCredentialsForIdentity"); n > tt.most {
						t.Errorf("%d renewals", n)
					}
					if n := s.fake.Calls("GetId"); n != 1 {
						t.Errorf("the identity was looked for %d times", n)
					}
				})
			})
		}
	}
}

// TestOneFlightForAll: any number of callers, one request.
func TestOneFlightForAll(t *testing.T) {
	bubble(t, cognitotest.Config{}, func(t *testing.T, s *stage) {
		s.signIn("alice")
		src := s.source()
		s.fake.Before(func(string) { time.Sleep(time.Second) })
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { good(t, src) })
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond) // one that gives up stops nobody
		defer cancel()
		if _, err := src.Retrieve(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("given up: %v", err)
		}
		wg.Wait()
		if n := s.fake.Calls("GetCredentialsForIdentity"); n != 1 {
			t.Errorf("%d requests", n)
		}
		time.Sleep(51 * time.Minute) // due, still good: nobody waits
		began := time.Now()
		for range 50 {
			good(t, src)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("callers waited %v for a renewal that has time", took)
		}
		synctest.Wait()
		time.Sleep(10 * time.Second)
		if n := s.fake.Calls("GetCredentialsForIdentity"); n != 2 {
			t.Errorf("%d requests", n)
		}
	})
}

// TestNetworkGap: while Cognito is away what is good is given, then ErrUnreachable and not a login; it goes on by itself, and is not
// asked more often than every half minute.
func TestNetworkGap(t *testing.T) {
	bubble(t, cognitotest.Config{}, func(t *testing.T, s *stage) {
		s.signIn("alice")
		src := s.source()
		first := good(t, src)
		time.Sleep(50*time.Minute + time.Second)
		s.fake.SetDown(true)
		for time.Now().Before(first.Expires) {
			if c := good(t, src); c.AccessKeyID != first.AccessKeyID {
				t.Fatal("others")
			}
			time.Sleep(time.Second)
		}
		_, err := src.Retrieve(t.Context())
		if !errors.Is(err, identity.ErrUnreachable) || errors.Is(err, identity.ErrLoginNeeded) {
			t.Errorf("got %v", err)
		}
		if st := src.State(); !errors.Is(st.Err, identity.ErrUnreachable) {
			t.Errorf("state %+v", st)
		}
		s.fake.SetDown(false)
		time.Sleep(31 * time.Second)
		if c := good(t, src); c.AccessKeyID == first.AccessKeyID {
			t.Error("the same again")
		}
		if st := src.State(); st.Err != nil {
			t.Errorf("state %+v", st)
		}
	})
}

// TestRevokedLogin: credentials are good to their end, then a login is needed; Cognito is not asked again, a new login by another
// process is picked up at once.
func TestRevokedLogin(t *testing.T) {
	for _, rotate := range []bool{false, true} {
		bubble(t, cognitotest.Config{Rotate: rotate}, func(t *testing.T, s *stage) {
			s.signIn("alice")
			src := s.source()
			first := good(t, src)
			s.fake.Revoke("alice")
			time.Sleep(time.Until(first.Expires))
			if _, err := src.Retrieve(t.Context()); !errors.Is(err, identity.ErrLoginNeeded) {
				t.Fatalf("got %v", err)
			}
			if st := src.State(); !errors.Is(st.Err, identity.ErrLoginNeeded) || st.Identity.ID == "" {
				t.Errorf("state %+v", st)
			}
			before := s.fake.Calls("")
			for range 1000 {
				if _, err := src.Retrieve(t.Context()); !errors.Is(err, identity.ErrLoginNeeded) {
					t.Fatalf("got %v", err)
				}
				time.Sleep(time.Minute)
			}
			if n := s.fake.Calls("") - before; n != 0 {
				t.Errorf("Cognito was asked %d times for a login that has ended", n)
			}
			s.signIn("alice")
			good(t, src)
			if st := src.State(); st.Err != nil {
				t.Errorf("state %+v", st)
			}
		})
	}
}

// TestRefreshTokenExpires: after its life without use a login is needed.
func TestRefreshTokenExpires(t *testing.T) {
	bubble(t, cognitotest.Config{RefreshLife: 24 * time.Hour}, func(t *testing.T, s *stage) {
		s.signIn("alice")
		src := s.source()
		good(t, src)
		time.Sleep(25 * time.Hour)
		if _, err := src.Retrieve(t.Context()); !errors.Is(err, identity.ErrLoginNeeded) {
			t.Errorf("got %v", err)
		}
	})
}

// TestSomebodyElse: another user's login is never used by a source that was made for the first, not even for a request; the first one's is.
func TestSomebodyElse(t *testing.T) {
	bubble(t, cognitotest.Config{}, func(t *testing.T, s *stage) {
		alice := s.signIn("alice")
		src := s.source()
		first := good(t, src)
		who, err := src.Identity(t.Context())
		if err != nil || !who.Authenticated {
			t.Fatal(who, err)
		}
		s.signIn("bob")
		before := s.fake.Calls("")
		time.Sleep(time.Until(first.Expires))
		for range 3 {
			if _, err := src.Retrieve(t.Context()); !errors.Is(err, identity.ErrOtherIdentity) {
				t.Fatalf("got %v", err)
			}
		}
		if n := s.fake.Calls("") - before; n != 0 {
			t.Errorf("%d requests for somebody else", n)
		}
		if again := s.signIn("alice"); again.Session == alice.Session {
			t.Error("the session of another sign-in")
		}
		good(t, src)
		if now, err := src.Identity(t.Context()); now != who || err != nil {
			t.Errorf("%v, then %v", who, now)
		}
	})
}

// TestAnotherIdentityInTheAnswer: what the identity pool answers counts, and one that is not the first is refused.
func TestAnotherIdentityInTheAnswer(t *testing.T) {
	bubble(t, cognitotest.Config{}, func(t *testing.T, s *stage) {
		s.signIn("alice")
		src := s.source()
		good(t, src)
		who, err := src.Identity(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s.fake.DropIdentity(who.ID)
		time.Sleep(2 * time.Hour)
		if _, err := src.Retrieve(t.Context()); !errors.Is(err, identity.ErrOtherIdentity) {
			t.Errorf("got %v", err)
		}
		other := s.source() // a new mount: the cached id is gone, GetId once
		now, err := other.Identity(t.Context())
		if err != nil || now == who {
			t.Errorf("%v, %v", now, err)
		}
		if n := s.fake.Calls("GetId"); n != 3 {
			t.Errorf("%d times GetId, want 3: at first, when it was gone, for the new source", n)
		}
	})
}

// TestRotationBetweenProcesses: two processes with one login whose refresh tokens can be used once, for days: never is one used twice,
// which would end the login.
func TestRotationBetweenProcesses(t *testing.T) {
	bubble(t, cognitotest.Config{Rotate: true, TokenLife: 10 * time.Minute, CredentialsLife: 15 * time.Minute}, func(t *testing.T, s *stage) {
		s.signIn("alice")
		sources := []*identity.Source{s.source(), s.source(), s.source()}
		s.fake.Before(func(string) { time.Sleep(50 * time.Millisecond) })
		var wg sync.WaitGroup
		for i, src := range sources {
			wg.Go(func() {
				for end := time.Now().Add(24 * time.Hour); time.Now().Before(end); time.Sleep(time.Minute + time.Duration(i)*time.Second) {
					good(t, src)
				}
			})
		}
		wg.Wait()
		// a token of 10 minutes is good until a minute before its end: at most 160 a day, whoever needs it
		if n := s.fake.Calls("GetTokensFromRefreshToken"); n > 160 || n < 24 {
			t.Errorf("%d exchanges of refresh tokens", n)
		}
	})
}

// TestNewTokensAreStoredFirst: where the new refresh token can not be stored, credentials go on with what is good, the token is kept and stored
// as soon as that is possible, and it is never used before.
func TestNewTokensAreStoredFirst(t *testing.T) {
	bubble(t, cognitotest.Config{Rotate: true}, func(t *testing.T, s *stage) {
		dir := filepath.Join(t.TempDir(), "identity")
		s.tokens = identity.NewTokens(identity.TokensConfig{Dir: dir})
		s.signIn("alice")
		src := s.source()
		good(t, src)
		time.Sleep(2 * time.Hour)
		path := s.tokens.Where(s.slot)
		full := filepath.Join(dir, "full")
		s.fake.Before(func(op string) {
			if op == "GetTokensFromRefreshToken" { // what was read is replaced by what can not be
				if err := errors.Join(os.Rename(path, full), os.MkdirAll(filepath.Join(path, "x"), 0o700)); err != nil {
					t.Error(err)
				}
			}
		})
		good(t, src)
		s.fake.Before(nil)
		if err := errors.Join(os.RemoveAll(path), os.Rename(full, path)); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			time.Sleep(2 * time.Hour)
			good(t, src)
		}
	})
}

// TestOldRefresh: a service that does not know the newer operation is asked in the older way, with the secret hash.
func TestOldRefresh(t *testing.T) {
	bubble(t, cognitotest.Config{NoGetTokens: true, ClientSecret: clientSecret}, func(t *testing.T, s *stage) {
		s.signIn("alice")
		src := s.source()
		for range 5 {
			good(t, src)
			time.Sleep(2 * time.Hour)
		}
		if n := s.fake.Calls("InitiateAuth"); n != 5 {
			t.Errorf("%d times InitiateAuth, want one sign-in and 4 refreshes", n)
		}
		s.fake.Revoke("alice")
		if _, err := src.Retrieve(t.Context()); !errors.Is(err, identity.ErrLoginNeeded) {
			t.Errorf("got %v", err)
		}
	})
}

// TestSignOut: the refresh token is good for nothing afterwards.
func TestSignOut(t *testing.T) {
	bubble(t, cognitotest.Config{ClientSecret: clientSecret}, func(t *testing.T, s *stage) {
		l := s.signIn("alice")
		if err := s.users.SignOut(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		if _, err := s.users.Refresh(t.Context(), l); !errors.Is(err, identity.ErrLoginNeeded) {
			t.Errorf("got %v", err)
		}
	})
}

// TestNobodySignedIn: an error of its own at once, and no request.
func TestNobodySignedIn(t *testing.T) {
	bubble(t, cognitotest.Config{}, func(t *testing.T, s *stage) {
		src := s.source()
		if _, err := src.Retrieve(t.Context()); !errors.Is(err, identity.ErrLoginNeeded) {
			t.Errorf("got %v", err)
		}
		if n := s.fake.Calls(""); n != 0 {
			t.Errorf("%d requests", n)
		}
		s.signIn("bob")
		good(t, src)
	})
}

// TestCloseEndsAFlight: whoever waits gets an error, and nothing is left behind.
func TestCloseEndsAFlight(t *testing.T) {
	bubble(t, cognitotest.Config{}, func(t *testing.T, s *stage) {
		s.signIn("alice")
		s.fake.SetDown(true)
		src := s.source()
		done := make(chan error, 1)
		go func() { _, err := src.Retrieve(t.Context()); done <- err }()
		synctest.Wait()
		began := time.Now()
		src.Close()
		if err := <-done; err == nil || time.Since(began) > time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

// TestExpiryIsByTheWallClock: the monotonic clock stands still while a machine sleeps, credentials do not.
func TestExpiryIsByTheWallClock(t *testing.T) {
	s := newStage(t, cognitotest.Config{})
	s.fake.AddUser(cognitotest.User{Name: "alice", Password: password})
	l := s.signIn("alice")
	if c := good(t, s.source()); c.Expires != c.Expires.Round(0) { // unlike Equal, != sees the monotonic reading
		t.Errorf("credentials: %v", c.Expires)
	}
	next, err := s.users.Refresh(t.Context(), l)
	if err != nil || next.Expires != next.Expires.Round(0) || l.Expires != l.Expires.Round(0) {
		t.Errorf("tokens: %v, %v, %v", l.Expires, next.Expires, err)
	}
}
