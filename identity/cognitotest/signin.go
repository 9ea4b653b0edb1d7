package cognitotest

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"time"
)

// session is a sign-in that waits for an answer.
type session struct {
	user      *user
	challenge string
	proof     *proof
	wrong     int
}

const (
	mostWrong     = 5 // codes
	timestampForm = "Mon Jan 2 15:04:05 UTC 2006"
	timestampSlop = 5 * time.Minute
)

var errNotAuthorized = refuse("NotAuthorizedException", "Incorrect username or password.")

func (s *Server) checkClient(in map[string]any) error {
	if text(in, "ClientId") != s.cfg.Client {
		return refuse("ResourceNotFoundException", "User pool client does not exist.")
	}
	return nil
}

// checkHash wants the secret hash of a client that has a secret.
func (s *Server) checkHash(name, got string) error {
	if s.cfg.ClientSecret == "" {
		return nil
	}
	s.secret(s.cfg.ClientSecret)
	want := base64.StdEncoding.EncodeToString(hmacOf([]byte(s.cfg.ClientSecret), []byte(name+s.cfg.Client)))
	if s.secret(got) != want {
		return refuse("NotAuthorizedException", "Unable to verify secret hash for client")
	}
	return nil
}

func (s *Server) initiateAuth(in map[string]any) (any, error) {
	if err := s.checkClient(in); err != nil {
		return nil, err
	}
	if flow := text(in, "AuthFlow"); flow == "REFRESH_TOKEN_AUTH" {
		return s.refreshTokenAuth(in)
	} else if flow != "USER_SRP_AUTH" && flow != "USER_PASSWORD_AUTH" || flow == "USER_PASSWORD_AUTH" && s.cfg.NoPassword {
		return nil, refuse("InvalidParameterException", flow+" flow not enabled for this client")
	}
	name := text(in, "AuthParameters", "USERNAME")
	if err := s.checkHash(name, text(in, "AuthParameters", "SECRET_HASH")); err != nil {
		return nil, err
	}
	u := s.users[name]
	if u == nil {
		return nil, errNotAuthorized // the pool hides who exists
	}
	if text(in, "AuthFlow") == "USER_PASSWORD_AUTH" {
		if s.secret(text(in, "AuthParameters", "PASSWORD")) != u.Password {
			return nil, errNotAuthorized
		}
		return s.proved(u)
	}
	p, ok := newProof(text(in, "AuthParameters", "SRP_A"), u)
	if !ok {
		return nil, refuse("InvalidParameterException", "SRP_A")
	}
	return s.ask(&session{user: u, challenge: "PASSWORD_VERIFIER", proof: p}, map[string]string{
		"USER_ID_FOR_SRP": u.Name, "USERNAME": u.Name, "SALT": u.salt, "SRP_B": p.bigB.Text(16), "SECRET_BLOCK": p.secretBlock,
	}), nil
}

// ask answers with a challenge.
func (s *Server) ask(se *session, params map[string]string) any {
	id := s.secret(randomHex(40))
	s.sessions[id] = se
	return map[string]any{"ChallengeName": se.challenge, "ChallengeParameters": params, "Session": id}
}

// proved goes on behind a password that was right.
func (s *Server) proved(u *user) (any, error) {
	switch {
	case u.State != "":
		return nil, refuse(u.State, "the account is not ready")
	case u.NewPassword:
		required := make([]string, 0, len(u.Required))
		for _, r := range u.Required {
			required = append(required, "userAttributes."+r)
		}
		list, err := json.Marshal(required)
		if err != nil {
			return nil, err
		}
		return s.ask(&session{user: u, challenge: "NEW_PASSWORD_REQUIRED"}, map[string]string{
			"USER_ID_FOR_SRP": u.Name, "requiredAttributes": string(list), "userAttributes": "{}",
		}), nil
	case len(u.MFA) > 1:
		list, err := json.Marshal(u.MFA)
		if err != nil {
			return nil, err
		}
		return s.ask(&session{user: u, challenge: "SELECT_MFA_TYPE"}, map[string]string{
			"USER_ID_FOR_SRP": u.Name, "MFAS_CAN_CHOOSE": string(list),
		}), nil
	case len(u.MFA) == 1:
		return s.askCode(u, u.MFA[0]), nil
	}
	return s.signedIn(u)
}

func (s *Server) askCode(u *user, factor string) any {
	params := map[string]string{"USER_ID_FOR_SRP": u.Name}
	if factor != MFATOTP {
		n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
		if err != nil {
			n = big.NewInt(0)
		}
		u.code = s.secret(fmt.Sprintf("%06d", n))
		params["CODE_DELIVERY_DESTINATION"] = map[string]string{MFASMS: "+*******1234", MFAEmail: "a***@e***"}[factor]
	}
	return s.ask(&session{user: u, challenge: factor}, params)
}

func (s *Server) respond(in map[string]any) (any, error) {
	if err := s.checkClient(in); err != nil {
		return nil, err
	}
	id, name := text(in, "Session"), text(in, "ChallengeName")
	se := s.sessions[id]
	if se == nil || se.challenge != name {
		return nil, refuse("NotAuthorizedException", "Invalid session for the user.")
	}
	answer := func(field string) string { return text(in, "ChallengeResponses", field) }
	if answer("USERNAME") != se.user.Name {
		return nil, refuse("InvalidParameterException", "USERNAME")
	}
	if err := s.checkHash(se.user.Name, answer("SECRET_HASH")); err != nil {
		return nil, err
	}
	switch name {
	case "PASSWORD_VERIFIER":
		delete(s.sessions, id)
		return s.verify(se, answer)
	case "NEW_PASSWORD_REQUIRED":
		return s.takePassword(id, se, in)
	case "SELECT_MFA_TYPE":
		delete(s.sessions, id)
		if !slices.Contains(se.user.MFA, answer("ANSWER")) {
			return nil, refuse("InvalidParameterException", "ANSWER")
		}
		return s.askCode(se.user, answer("ANSWER")), nil
	}
	return s.takeCode(id, se, s.secret(answer(name+"_CODE")))
}

func (s *Server) verify(se *session, answer func(string) string) (any, error) {
	at, err := time.Parse(timestampForm, answer("TIMESTAMP"))
	off := time.Since(at).Abs()
	s.secret(answer("PASSWORD_CLAIM_SIGNATURE"))
	if err != nil || off > timestampSlop ||
		!se.proof.holds(se.user, answer("PASSWORD_CLAIM_SECRET_BLOCK"), answer("TIMESTAMP"), answer("PASSWORD_CLAIM_SIGNATURE")) {
		return nil, errNotAuthorized
	}
	return s.proved(se.user)
}

func (s *Server) takePassword(id string, se *session, in map[string]any) (any, error) {
	password := s.secret(text(in, "ChallengeResponses", "NEW_PASSWORD"))
	if len(password) < 8 {
		return nil, refuse("InvalidPasswordException", "Password does not conform to policy: Password not long enough")
	}
	for _, r := range se.user.Required {
		v := text(in, "ChallengeResponses", "userAttributes."+r)
		if v == "" {
			return nil, refuse("InvalidParameterException", "Invalid attributes given, "+r+" is missing")
		}
		se.user.attributes[r] = v
	}
	delete(s.sessions, id)
	se.user.setPassword(password)
	se.user.NewPassword = false
	return s.proved(se.user)
}

func (s *Server) takeCode(id string, se *session, code string) (any, error) {
	good := code != "" && code == se.user.code
	if se.challenge == MFATOTP {
		good = se.user.goodTOTP(code)
	}
	if !good {
		if se.wrong++; se.wrong >= mostWrong {
			delete(s.sessions, id)
		}
		return nil, refuse("CodeMismatchException", "Invalid code or auth state for the user.")
	}
	delete(s.sessions, id)
	se.user.code = ""
	return s.signedIn(se.user)
}

func (s *Server) signedIn(u *user) (any, error) {
	refresh, _ := s.newRefresh(u, "")
	return s.result(u, refresh)
}
