package cognitotest

import (
	"cmp"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
)

// grant is a refresh token.
type grant struct {
	user    *user
	family  string // all that were made from one sign-in
	expires time.Time
	used    bool // where they rotate
	revoked bool
}

const refreshLife = 30 * 24 * time.Hour

// issuer is that of the user pool's tokens.
func (c *Config) issuer() string {
	region, _, _ := strings.Cut(c.UserPool, "_")
	return "https://cognito-idp." + region + ".amazonaws.com/" + c.UserPool
}

// newRefresh makes a refresh token of a family; "" begins one.
func (s *Server) newRefresh(u *user, family string) (token, of string) {
	token = s.secret(randomHex(48))
	family = cmp.Or(family, uuid())
	s.refresh[token] = &grant{user: u, family: family, expires: time.Now().Add(cmp.Or(s.cfg.RefreshLife, refreshLife))}
	return token, family
}

// result is AuthenticationResult; refresh "" = none is in it.
func (s *Server) result(u *user, refresh string) (any, error) {
	life := cmp.Or(s.cfg.TokenLife, time.Hour)
	now := time.Now()
	claims := map[string]any{
		"iss": s.cfg.issuer(), "sub": u.Sub, "iat": now.Unix(), "exp": now.Add(life).Unix(), "jti": uuid(),
		"aud": s.cfg.Client, "token_use": "id", "cognito:username": u.Name, "email": u.Name + "@example.com",
	}
	if len(u.Groups) > 0 {
		claims["cognito:groups"] = u.Groups
	}
	if u.PreferredRole != "" {
		claims["cognito:preferred_role"] = u.PreferredRole
	}
	id, err := s.sign(claims)
	if err != nil {
		return nil, err
	}
	access, err := s.sign(map[string]any{
		"iss": s.cfg.issuer(), "sub": u.Sub, "iat": now.Unix(), "exp": now.Add(life).Unix(), "jti": uuid(), "client_id": s.cfg.Client,
		"token_use": "access", "username": u.Name,
	})
	if err != nil {
		return nil, err
	}
	r := map[string]any{"IdToken": id, "AccessToken": access, "ExpiresIn": int(life.Seconds()), "TokenType": "Bearer"}
	if refresh != "" {
		r["RefreshToken"] = refresh
	}
	return map[string]any{"AuthenticationResult": r, "ChallengeParameters": map[string]string{}}, nil
}

// sign makes a JWT. Cognito's are RS256; clients do not check it, and the pool here has its own key.
func (s *Server) sign(claims map[string]any) (string, error) {
	body, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	b64 := base64.RawURLEncoding.EncodeToString
	signed := b64([]byte(`{"alg":"EdDSA","kid":"test"}`)) + "." + b64(body)
	sig := ed25519.Sign(s.key, []byte(signed))
	s.secret(b64(sig))
	return s.secret(signed + "." + b64(sig)), nil
}

// verified gives the claims of a token that is good now.
func (s *Server) verified(token string) (map[string]any, bool) {
	signed, sig := token, ""
	if i := strings.LastIndexByte(token, '.'); i >= 0 {
		signed, sig = token[:i], token[i+1:]
	}
	raw, err := base64.RawURLEncoding.DecodeString(sig)
	if err != nil || !ed25519.Verify(s.key.Public().(ed25519.PublicKey), []byte(signed), raw) {
		return nil, false
	}
	_, body, _ := strings.Cut(signed, ".")
	text, err := base64.RawURLEncoding.DecodeString(body)
	var claims map[string]any
	if err != nil || json.Unmarshal(text, &claims) != nil {
		return nil, false
	}
	exp, _ := claims["exp"].(float64)
	good := claims["iss"] == s.cfg.issuer() && claims["aud"] == s.cfg.Client && claims["token_use"] == "id" && time.Now().Before(time.Unix(int64(exp), 0))
	return claims, good
}

// spend takes a refresh token; where they rotate, once.
func (s *Server) spend(token string) (*grant, error) {
	s.secret(token)
	g := s.refresh[token]
	switch {
	case g == nil:
		return nil, refuse("NotAuthorizedException", "Invalid Refresh Token")
	case g.revoked:
		return nil, refuse("NotAuthorizedException", "Refresh Token has been revoked")
	case !time.Now().Before(g.expires):
		return nil, refuse("NotAuthorizedException", "Refresh Token has expired")
	case g.used:
		for _, other := range s.refresh { // who uses one twice may have stolen it
			if other.family == g.family {
				other.revoked = true
			}
		}
		return nil, refuse("RefreshTokenReuseException", "Refresh token has been invalidated due to reuse")
	}
	g.used = s.cfg.Rotate
	return g, nil
}

func (s *Server) getTokens(in map[string]any) (any, error) {
	if err := s.checkClient(in); err != nil {
		return nil, err
	}
	if s.secret(text(in, "ClientSecret")) != s.cfg.ClientSecret {
		return nil, refuse("NotAuthorizedException", "Client secret is wrong")
	}
	g, err := s.spend(text(in, "RefreshToken"))
	if err != nil {
		return nil, err
	}
	next := ""
	if s.cfg.Rotate {
		next, _ = s.newRefresh(g.user, g.family)
	}
	return s.result(g.user, next)
}

func (s *Server) refreshTokenAuth(in map[string]any) (any, error) {
	if s.cfg.Rotate {
		return nil, refuse("InvalidParameterException", "REFRESH_TOKEN_AUTH flow not enabled for this client")
	}
	g, err := s.spend(text(in, "AuthParameters", "REFRESH_TOKEN"))
	if err != nil {
		return nil, err
	}
	if err := s.checkHash(g.user.Name, text(in, "AuthParameters", "SECRET_HASH")); err != nil {
		return nil, err
	}
	return s.result(g.user, "")
}

func (s *Server) revokeToken(in map[string]any) (any, error) {
	if err := s.checkClient(in); err != nil {
		return nil, err
	}
	if g := s.refresh[text(in, "Token")]; g != nil {
		for _, other := range s.refresh {
			if other.family == g.family {
				other.revoked = true
			}
		}
	}
	return map[string]any{}, nil // as Cognito: also for what it does not know
}
