package identity_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/identity"
	"github.com/s3levelfs/s3levelfs/identity/cognitotest"
)

// TestLoginIsTold: that a login is needed is told once, however often it is found out, and so are credentials after it; an outage of
// Cognito is neither.
func TestLoginIsTold(t *testing.T) {
	bubble(t, cognitotest.Config{}, func(t *testing.T, s *stage) {
		s.signIn("alice")
		src := s.source()
		var told []error
		src.OnLogin(func(err error) { told = append(told, err) })
		expired := func() {
			time.Sleep(time.Until(good(t, src).Expires))
			for range 100 {
				_, _ = src.Retrieve(t.Context()) // what is told of it is looked at
				time.Sleep(time.Minute)
			}
			synctest.Wait()
		}
		s.fake.Revoke("alice")
		expired()
		if len(told) != 1 || !errors.Is(told[0], identity.ErrLoginNeeded) {
			t.Fatalf("told %v", told)
		}
		s.signIn("alice")
		good(t, src)
		synctest.Wait()
		if len(told) != 2 || told[1] != nil {
			t.Fatalf("told %v", told)
		}
		good(t, src)
		synctest.Wait()
		if len(told) != 2 {
			t.Errorf("told %v", told)
		}
	})
}
