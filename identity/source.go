package identity

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"go.uber.org/zap"
)

const (
	refreshAhead  = 10 * time.Minute // of the expiry, or a third of the life where that is shorter
	flightTimeout = time.Minute      // of one refresh with all that it asks
	firstDelay    = time.Second      // after a refresh that failed
	lastDelay     = 30 * time.Second
)

// Identity is who the credentials are of.
type Identity struct {
	ID            string // of the identity pool, REGION:UUID
	Authenticated bool   // false: a guest
}

// SourceConfig says whose credentials to keep fresh.
type SourceConfig struct {
	IdentityPool *Pool
	UserPool     *UserPool // nil: a guest's
	Tokens       *Tokens
	Slot         Slot // of the login; of a guest the identity pool's is used
}

// Source keeps the credentials of one identity fresh. It is an [aws.CredentialsProvider] whose Retrieve costs nothing while
// they are good, and safe for concurrent use.
//
// The identity is that of the first credentials, for good: others are refused with ErrOtherIdentity, whoever signs in. While
// no new ones are to be had, the old ones are given as long as they are good. After ErrLoginNeeded it asks the token store,
// not Cognito, and goes on with the next login of the same user that any process stores there.
type Source struct {
	cfg    SourceConfig
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup // of flights

	mu       sync.Mutex
	log      *zap.Logger
	onLogin  func(error) // nil = nobody wants it
	needed   bool        // onLogin was told last that a login is needed
	identity Identity    // "" = not known yet
	subject  string      // of the user; "" = a guest, or not known yet
	have     granted
	flight   chan struct{} // closed when the refresh under way ends; nil = none is
	err      error         // why the last refresh failed; nil = it did not
	next     time.Time     // not before that the next after a failure, unless the token store has changed
	delay    time.Duration
	version  Version // of the token store at the last refresh

	unsaved *Login // of the flight alone: a refresh that could not be stored
	spent   Secret // the refresh token that it was got for
}

// NewSource sends no request. Close ends it.
func NewSource(cfg SourceConfig) *Source {
	if cfg.UserPool == nil {
		cfg.Slot = GuestSlot(cfg.IdentityPool.cfg.ID)
	}
	s := &Source{cfg: cfg, log: zap.NewNop()}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Close ends a refresh under way and waits for its end.
func (s *Source) Close() {
	s.cancel()
	s.wg.Wait()
}

// Identity finds out who the credentials are of, with a request where that is not known.
func (s *Source) Identity(ctx context.Context) (Identity, error) {
	if _, err := s.Retrieve(ctx); err != nil {
		return Identity{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.identity, nil
}

// SetLog changes where the source logs: who it is for may decide where the log lies.
func (s *Source) SetLog(log *zap.Logger) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = log
}

// OnLogin has f told, by the error, when a login is needed (ErrLoginNeeded, ErrOtherIdentity), and by nil when there are credentials after
// it. It is called by the goroutine of a refresh, without a lock; but for Close nobody waits for it.
func (s *Source) OnLogin(f func(error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onLogin = f
}

func (s *Source) logger() *zap.Logger {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log
}

// Retrieve gives credentials that are good. It waits, bounded by ctx, where there are none.
func (s *Source) Retrieve(ctx context.Context) (aws.Credentials, error) {
	version, versionErr := s.versionIfFailed()
	s.mu.Lock()
	now := time.Now()
	good := s.have.identity != "" && now.Before(s.have.creds.Expires)
	due := !good || now.After(s.have.creds.Expires.Add(-ahead(s.have.life)))
	mayTry := s.err == nil || versionErr == nil && version != s.version || !hopeless(s.err) && !now.Before(s.next)
	if due && s.flight == nil && mayTry {
		s.startFlight()
	}
	creds, flight, err := s.have.creds, s.flight, s.err
	s.mu.Unlock()
	switch {
	case good:
		return creds, nil
	case flight == nil:
		return aws.Credentials{}, err
	}
	select {
	case <-flight:
	case <-ctx.Done():
		return aws.Credentials{}, fmt.Errorf("credentials: %w", context.Cause(ctx))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.have.identity != "" && time.Now().Before(s.have.creds.Expires) {
		return s.have.creds, nil
	}
	if s.err == nil { // given already expired
		return aws.Credentials{}, errNoCredentials
	}
	return aws.Credentials{}, s.err
}

// hopeless: nothing but a change of the token store mends it, so that Cognito is not asked again.
func hopeless(err error) bool {
	return errors.Is(err, ErrLoginNeeded) || errors.Is(err, ErrOtherIdentity)
}

// ahead is how long before their expiry credentials of that life are renewed.
func ahead(life time.Duration) time.Duration { return min(refreshAhead, life/3) }

// versionIfFailed asks the token store for its version where a failure may be over by a change of it.
func (s *Source) versionIfFailed() (Version, error) {
	s.mu.Lock()
	failed := s.err != nil
	s.mu.Unlock()
	if !failed {
		return "", nil
	}
	return s.cfg.Tokens.Version(s.cfg.Slot)
}

// startFlight is called with mu held.
func (s *Source) startFlight() {
	done := make(chan struct{})
	s.flight = done
	s.wg.Go(func() {
		ctx, cancel := context.WithTimeout(s.ctx, flightTimeout)
		defer cancel()
		version, err := s.cfg.Tokens.Version(s.cfg.Slot)
		var g granted
		if err == nil {
			g, err = s.refresh(ctx)
		}
		if now, versionErr := s.cfg.Tokens.Version(s.cfg.Slot); err == nil && versionErr == nil {
			version = now // our own changes are none
		}
		tell := s.land(g, version, err)
		close(done)
		if tell != nil {
			tell(err)
		}
	})
}

// land takes the outcome of a flight. tell is to be told of it, nil = it is no news of a login.
func (s *Source) land(g granted, version Version, err error) (tell func(error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flight, s.version = nil, version
	if needed := hopeless(err); needed != s.needed && (needed || err == nil) {
		s.needed, tell = needed, s.onLogin
	}
	if err == nil {
		if s.err != nil {
			s.log.Info("credentials are good again", zap.Time("expire", g.creds.Expires))
		}
		s.have, s.err, s.delay = g, nil, 0
		return tell
	}
	s.delay = min(max(2*s.delay, firstDelay), lastDelay)
	s.err, s.next = err, time.Now().Add(s.delay)
	s.log.Warn("credentials can not be renewed", zap.Time("expire", s.have.creds.Expires), zap.Error(err))
	return tell
}

// State is what is known of the credentials, for people.
type State struct {
	Identity Identity
	Expires  time.Time // of the credentials; zero = there are none
	Err      error     // why they can not be renewed; ErrLoginNeeded is for the user to mend
}

// State asks nobody.
func (s *Source) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return State{Identity: s.identity, Expires: s.have.creds.Expires, Err: s.err}
}
