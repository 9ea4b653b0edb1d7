package cognitotest

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // RFC 6238: what authenticator apps use
	"encoding/binary"
	"fmt"
	"time"
)

// Second factors of a User.
const (
	MFASMS   = "SMS_MFA"
	MFATOTP  = "SOFTWARE_TOKEN_MFA"
	MFAEmail = "EMAIL_OTP"
)

// User is somebody who can sign in.
type User struct {
	Name, Password string
	Sub            string // "" = a random one
	Groups         []string
	PreferredRole  string   // cognito:preferred_role
	MFA            []string // with several the user is asked which
	NewPassword    bool     // Password is a temporary one
	Required       []string // attributes that are asked for with the new one
	State          string   // the exception that a sign-in ends with, such as UserNotConfirmedException; "" = none
}

type user struct {
	User
	pool           string // the user pool's id without its region
	salt, verifier string // SRP, hex
	totp           []byte
	code           string // sent last
	attributes     map[string]string
}

// AddUser makes or replaces a user.
func (s *Server) AddUser(u User) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u.Sub == "" {
		u.Sub = uuid()
	}
	n := &user{User: u, pool: poolName(s.cfg.UserPool), totp: random(20), attributes: map[string]string{}}
	n.setPassword(s.secret(u.Password))
	s.secret(string(n.totp))
	s.users[u.Name] = n
}

func (u *user) setPassword(password string) {
	u.Password = password
	u.salt, u.verifier = newVerifier(u.pool, u.Name, password)
}

// Attribute is what a user gave with a new password.
func (s *Server) Attribute(name, attribute string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.users[name].attributes[attribute]
}

// SentCode is the code that was sent to the user last, by SMS or e-mail.
func (s *Server) SentCode(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.users[name].code
}

// TOTP is the code that the user's authenticator app shows now.
func (s *Server) TOTP(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.secret(totp(s.users[name].totp, time.Now()))
}

// totp is RFC 6238 with SHA-1, 30 s and six digits.
func totp(key []byte, at time.Time) string {
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], uint64(at.Unix()/30))
	h := hmac.New(sha1.New, key)
	_, _ = h.Write(counter[:])
	sum := h.Sum(nil)
	off := sum[len(sum)-1] & 0x0f
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[off:])&0x7fffffff%1_000_000)
}

// goodTOTP allows for a code of the period before.
func (u *user) goodTOTP(code string) bool {
	now := time.Now()
	return code == totp(u.totp, now) || code == totp(u.totp, now.Add(-30*time.Second))
}

// Revoke ends the sign-ins of a user: refresh tokens are refused from now on.
func (s *Server) Revoke(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.refresh {
		if g.user.Name == name {
			g.revoked = true
		}
	}
}

// MapRole gives the members of a group a role: RoleMapping of type Token.
func (s *Server) MapRole(group, roleARN string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.roles[group] = roleARN
}
