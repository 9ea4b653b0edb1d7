package identity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"
)

// tokenMargin is how long an id token must be good for to be sent, or a third of its life where that is shorter.
const tokenMargin = time.Minute

// refresh is one flight: what is stored, new tokens where they are needed, credentials.
func (s *Source) refresh(ctx context.Context) (granted, error) {
	if s.cfg.UserPool == nil {
		return s.refreshGuest(ctx)
	}
	l, err := s.login(ctx, false)
	if err != nil {
		return granted{}, err
	}
	g, err := s.grant(ctx, l)
	if hasCode(err, "NotAuthorizedException") { // by the server's clock the token may have expired
		if l, err = s.login(ctx, true); err == nil {
			g, err = s.grant(ctx, l)
		}
	}
	if err != nil {
		return granted{}, err
	}
	if err := s.accept(Identity{g.identity, true}, l.Subject); err != nil {
		return granted{}, err
	}
	if l.IdentityID != g.identity {
		s.keepIdentity(ctx, l, g.identity)
	}
	return g, nil
}

// accept takes the identity of an answer: the first one, and no other after it.
func (s *Source) accept(id Identity, subject string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.identity.ID != "" && s.identity != id {
		return other(s.identity.ID)
	}
	s.identity, s.subject = id, subject
	return nil
}

func other(was string) error {
	return fmt.Errorf("%w: this is for identity %s: sign in as the user that it is of, or mount anew", ErrOtherIdentity, was)
}

// sameUser refuses a login of another user before anything is asked for it.
func (s *Source) sameUser(l *Login) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.subject != "" && l.Subject != s.subject || s.identity.ID != "" && l.IdentityID != "" && l.IdentityID != s.identity.ID {
		return other(s.identity.ID)
	}
	return nil
}

// grant asks for the credentials of a login. An identity that is gone, which Cognito tells by ResourceNotFoundException, is looked
// for once more.
func (s *Source) grant(ctx context.Context, l *Login) (granted, error) {
	pool := s.cfg.IdentityPool
	if l.IdentityID != "" {
		g, err := pool.credentials(ctx, l.IdentityID, l)
		if !hasCode(err, "ResourceNotFoundException") {
			return g, err
		}
	}
	id, err := pool.getID(ctx, l)
	if err != nil {
		return granted{}, err
	}
	return pool.credentials(ctx, id, l)
}

// keepIdentity remembers the identity in the store, so that commands need no request to know it. Without that
// nothing is lost but the request.
func (s *Source) keepIdentity(ctx context.Context, l *Login, id string) {
	err := s.cfg.Tokens.Update(ctx, s.cfg.Slot, func(now *Login) (*Login, error) {
		if now == nil || now.Session != l.Session {
			return now, nil
		}
		n := *now
		n.IdentityID = id
		return &n, nil
	})
	if err != nil {
		s.logger().Warn("the identity id is not kept", zap.Error(err))
	}
}

// login gives the stored login with an id token that is good, or, by force, with a new one.
func (s *Source) login(ctx context.Context, force bool) (*Login, error) {
	s.saveUnsaved(ctx)
	l, _, err := s.cfg.Tokens.Load(ctx, s.cfg.Slot)
	if err != nil {
		return nil, err
	}
	if s.unsaved != nil && s.unsaved.Session == l.Session && l.Refresh == s.spent {
		l = s.unsaved
	}
	if err := s.sameUser(l); err != nil {
		return nil, err
	}
	if goodToken(l) && !force {
		return l, nil
	}
	if l == s.unsaved {
		return nil, errors.New("credentials: the new refresh token can not be stored, and is not used before: make room for it")
	}
	return s.renew(ctx, l.ID)
}

func goodToken(l *Login) bool {
	margin := tokenMargin
	if c, err := l.Claims(); err == nil {
		margin = min(margin, c.Expires.Sub(c.Issued)/3)
	}
	return time.Until(l.Expires) > margin
}

// renew refreshes the tokens under the store's lock. stale is the id token that is not good: where another process has
// replaced it meanwhile, that is enough.
func (s *Source) renew(ctx context.Context, stale Secret) (*Login, error) {
	var now, spent *Login
	err := s.cfg.Tokens.Update(ctx, s.cfg.Slot, func(old *Login) (*Login, error) {
		if old == nil {
			return nil, ErrLoginNeeded
		}
		if err := s.sameUser(old); err != nil {
			return nil, err
		}
		if now = old; old.ID != stale && goodToken(old) {
			return old, nil
		}
		l, err := s.cfg.UserPool.Refresh(ctx, old)
		if err != nil {
			now = nil
			return nil, err
		}
		now, spent = l, old
		return l, nil
	})
	if err != nil && now != nil && spent != nil {
		s.logger().Error("new tokens can not be stored: it is tried again", zap.Error(err))
		s.unsaved, s.spent = now, spent.Refresh
		return now, nil
	}
	if err != nil {
		return nil, err
	}
	return now, nil
}

// saveUnsaved stores what could not be stored, unless somebody has signed in meanwhile.
func (s *Source) saveUnsaved(ctx context.Context) {
	if s.unsaved == nil {
		return
	}
	err := s.cfg.Tokens.Update(ctx, s.cfg.Slot, func(old *Login) (*Login, error) {
		if old == nil || old.Session != s.unsaved.Session || old.Refresh != s.spent {
			return old, nil
		}
		return s.unsaved, nil
	})
	if err != nil {
		s.logger().Error("new tokens can still not be stored", zap.Error(err))
		return
	}
	s.unsaved, s.spent = nil, ""
}

// refreshGuest gets the guest's credentials; its identity id is kept for good, for its files hang on it.
func (s *Source) refreshGuest(ctx context.Context) (granted, error) {
	pool := s.cfg.IdentityPool
	find := func() (string, error) {
		return s.cfg.Tokens.KeepGuest(ctx, pool.cfg.ID, func() (string, error) { return pool.getID(ctx, nil) })
	}
	id, err := find()
	if err != nil {
		return granted{}, err
	}
	g, err := pool.credentials(ctx, id, nil)
	if hasCode(err, "ResourceNotFoundException") {
		if err := s.cfg.Tokens.DropGuest(ctx, pool.cfg.ID, id); err != nil {
			return granted{}, err
		}
		if id, err = find(); err != nil {
			return granted{}, err
		}
		g, err = pool.credentials(ctx, id, nil)
	}
	if err != nil {
		return granted{}, err
	}
	return g, s.accept(Identity{g.identity, false}, "")
}

// LinkGuest makes the guest's identity that of the login, as Amplify does at a sign-in: for a user who signs in for the first
// time the guest's files under its id become the user's. The identity of the answer counts. Without a guest it does nothing.
func LinkGuest(ctx context.Context, pool *Pool, tokens *Tokens, l *Login) error {
	guest, err := tokens.Guest(pool.cfg.ID)
	if guest == "" || err != nil {
		return err
	}
	g, err := pool.credentials(ctx, guest, l)
	if err != nil {
		return err
	}
	l.IdentityID = g.identity
	return tokens.DropGuest(ctx, pool.cfg.ID, guest)
}

// FindIdentity asks the identity pool which identity a login has, and notes it in the login.
func FindIdentity(ctx context.Context, pool *Pool, l *Login) error {
	id, err := pool.getID(ctx, l)
	if err != nil {
		return err
	}
	g, err := pool.credentials(ctx, id, l)
	if err != nil {
		return err
	}
	l.IdentityID = g.identity
	return nil
}
