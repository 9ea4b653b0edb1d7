package cognitotest

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// identity is one of the identity pool's.
type identity struct {
	sub   string // of the user; "" = a guest
	asked []string
}

// SetKeys sets what an identity's credentials are, or with "" those of all that have none of their own; without that they are random.
func (s *Server) SetKeys(identityID string, k Keys) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[identityID] = k
}

// AddIdentity makes the identity of a user, with an id of the test's choice; name "" = a guest's.
func (s *Server) AddIdentity(id, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub := ""
	if name != "" {
		sub = s.users[name].Sub
	}
	s.linked[id] = &identity{sub: sub}
}

// DropIdentity deletes an identity.
func (s *Server) DropIdentity(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.linked, id)
}

// Roles lists the role of each credentials that an identity was given, in order: "guest", "authenticated", or an ARN.
func (s *Server) Roles(id string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.linked[id]; i != nil {
		return slices.Clone(i.asked)
	}
	return nil
}

// caller finds who asks; sub "" = a guest.
func (s *Server) caller(in map[string]any) (sub string, claims map[string]any, err error) {
	given, _ := in["Logins"].(map[string]any)
	if len(given) == 0 {
		if !s.cfg.Guests {
			return "", nil, refuse("NotAuthorizedException", "Unauthenticated access is not supported for this identity pool.")
		}
		return "", nil, nil
	}
	token, _ := given[strings.TrimPrefix(s.cfg.issuer(), "https://")].(string)
	claims, ok := s.verified(s.secret(token))
	if !ok {
		return "", nil, refuse("NotAuthorizedException", "Invalid login token. Token expired or not from a supported provider")
	}
	sub, _ = claims["sub"].(string)
	return sub, claims, nil
}

func (s *Server) getID(in map[string]any) (any, error) {
	if text(in, "IdentityPoolId") != s.cfg.IdentityPool {
		return nil, refuse("ResourceNotFoundException", "IdentityPool not found.")
	}
	sub, _, err := s.caller(in)
	if err != nil {
		return nil, err
	}
	for id, i := range s.linked {
		if sub != "" && i.sub == sub {
			return map[string]string{"IdentityId": id}, nil
		}
	}
	region, _, _ := strings.Cut(s.cfg.IdentityPool, ":")
	id := region + ":" + uuid()
	s.linked[id] = &identity{sub: sub}
	return map[string]string{"IdentityId": id}, nil
}

func (s *Server) getCredentials(in map[string]any) (any, error) {
	id := text(in, "IdentityId")
	i := s.linked[id]
	if i == nil {
		return nil, refuse("ResourceNotFoundException", "Identity '"+id+"' not found.")
	}
	sub, claims, err := s.caller(in)
	if err != nil {
		return nil, err
	}
	if sub != i.sub {
		if i.sub != "" {
			return nil, refuse("NotAuthorizedException", "Access to Identity '"+id+"' is forbidden.")
		}
		id, i = s.link(id, i, sub)
	}
	role, err := s.role(text(in, "CustomRoleArn"), claims)
	if err != nil {
		return nil, err
	}
	i.asked = append(i.asked, role)
	k, ok := s.keys[id]
	if !ok && i.sub == "" && s.cfg.GuestKeys != (Keys{}) {
		k, ok = s.cfg.GuestKeys, true
	}
	if !ok {
		k, ok = s.keys[""]
	}
	if !ok {
		k = Keys{"ASIA" + strings.ToUpper(randomHex(8)), randomHex(20), randomHex(64)}
	}
	s.secret(k.Secret)
	s.secret(k.Session)
	life := cmp.Or(s.cfg.CredentialsLife, time.Hour)
	return map[string]any{"IdentityId": id, "Credentials": map[string]any{
		"AccessKeyId": k.Access, "SecretKey": k.Secret, "SessionToken": k.Session, "Expiration": time.Now().Add(life).Unix(),
	}}, nil
}

// link gives a guest's identity to a user who signs in: to one who has an identity already, that one counts.
func (s *Server) link(guest string, i *identity, sub string) (string, *identity) {
	for id, own := range s.linked {
		if own.sub == sub {
			return id, own
		}
	}
	i.sub = sub
	return guest, i
}

// role is the one that the credentials get.
func (s *Server) role(custom string, claims map[string]any) (string, error) {
	if claims == nil {
		return "guest", nil
	}
	groups, _ := claims["cognito:groups"].([]any)
	if custom != "" {
		for _, g := range groups {
			if name, _ := g.(string); s.roles[name] == custom {
				return custom, nil
			}
		}
		return "", refuse("NotAuthorizedException", "The role is not one of the token's.")
	}
	if preferred, _ := claims["cognito:preferred_role"].(string); preferred != "" {
		return preferred, nil
	}
	return "authenticated", nil
}
