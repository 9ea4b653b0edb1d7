package identity

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Login is somebody who is signed in with a user pool.
type Login struct {
	Session    string // random; another one for each sign-in, the same over all refreshes
	Username   string
	Subject    string // the user's id in the pool
	IdentityID string // as the identity pool has confirmed it last; "" = not yet
	ID, Access Secret
	Refresh    Secret
	Expires    time.Time // of ID, by this machine's clock
	Since      time.Time // of the sign-in
}

func newLogin(t tokens, now time.Time) *Login {
	return &Login{
		Session: rand.Text(), Username: t.claims.Username, Subject: t.claims.Subject,
		ID: t.id, Access: t.access, Refresh: t.refresh, Expires: t.expires, Since: now,
	}
}

// Claims are what the id token says.
func (l *Login) Claims() (Claims, error) { return parseClaims(l.ID) }

// refreshed is the login with what a refresh gave; a refresh token comes only where they rotate.
func (l *Login) refreshed(t tokens) *Login {
	n := *l
	n.ID, n.Access, n.Expires = t.id, t.access, t.expires
	if t.refresh != "" {
		n.Refresh = t.refresh
	}
	return &n
}

// savedLogin is a Login in the token store, format 1: the one document that has the texts of secrets in it.
type savedLogin struct {
	Session      string    `json:"session"`
	Username     string    `json:"username"`
	Subject      string    `json:"sub"`
	IdentityID   string    `json:"identity_id,omitempty"`
	IDToken      string    `json:"id_token"`
	AccessToken  string    `json:"access_token"`
	RefreshToken string    `json:"refresh_token"`
	Expires      time.Time `json:"expires"`
	Since        time.Time `json:"since"`
}

func (l *Login) save() ([]byte, error) {
	return json.Marshal(savedLogin{ //nolint:gosec // the store is what keeps them
		l.Session, l.Username, l.Subject, l.IdentityID, l.ID.Reveal(), l.Access.Reveal(), l.Refresh.Reveal(), l.Expires, l.Since,
	})
}

func parseLogin(text []byte) (*Login, error) {
	var s savedLogin
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("not a login: %w", withoutValue(err))
	}
	if s.Session == "" || s.RefreshToken == "" {
		return nil, errors.New("not a login: no refresh token in it")
	}
	return &Login{
		s.Session, s.Username, s.Subject, s.IdentityID, Secret(s.IDToken), Secret(s.AccessToken), Secret(s.RefreshToken), s.Expires, s.Since,
	}, nil
}

// withoutValue keeps an error of encoding/json from showing a piece of the document.
func withoutValue(err error) error {
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("damaged at byte %d", e.Offset)
	}
	return errors.New("damaged")
}
