package identity_test

import (
	"sync"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/identity/cognitotest"
)

// TestOneExchangeForAllProcesses: of several processes that need new tokens in the same moment one gets them, the others take those.
func TestOneExchangeForAllProcesses(t *testing.T) {
	bubble(t, cognitotest.Config{Rotate: true}, func(t *testing.T, s *stage) {
		s.signIn("alice")
		sources := []func(){}
		for range 4 {
			src := s.source()
			sources = append(sources, func() { good(t, src) })
			good(t, src)
		}
		time.Sleep(2 * time.Hour)
		s.fake.Before(func(string) { time.Sleep(time.Second) }) // all have found the old ones before the first has new ones
		var wg sync.WaitGroup
		for _, retrieve := range sources {
			wg.Go(retrieve)
		}
		wg.Wait()
		if n := s.fake.Calls("GetTokensFromRefreshToken"); n != 1 {
			t.Errorf("%d exchanges of refresh tokens, want 1", n)
		}
	})
}
