package identity

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// Claims are what an id token says of its user. They are for showing and for finding the identity pool's login key: whom
// Cognito believes is decided by Cognito, which checks the signature.
type Claims struct {
	Issuer        string // URL of the user pool
	Subject       string // the user's id in the pool; not the identity id
	Username      string
	Email         string
	Groups        []string
	PreferredRole string    // ARN of the group's role that the identity pool takes, "" = none
	Issued        time.Time // by the server's clock
	Expires       time.Time // by the server's clock
}

var errToken = errors.New("the token is not a JWT")

// parseClaims reads a token without checking its signature. The error never has the token in it.
func parseClaims(token Secret) (Claims, error) {
	parts := strings.Split(token.Reveal(), ".")
	if len(parts) != 3 {
		return Claims{}, errToken
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return Claims{}, errToken
	}
	var c struct {
		Iss    string   `json:"iss"`
		Sub    string   `json:"sub"`
		User   string   `json:"cognito:username"`
		Email  string   `json:"email"`
		Groups []string `json:"cognito:groups"`
		Role   string   `json:"cognito:preferred_role"`
		Iat    int64    `json:"iat"`
		Exp    int64    `json:"exp"`
	}
	if err := json.Unmarshal(body, &c); err != nil || c.Iss == "" || c.Sub == "" {
		return Claims{}, errToken
	}
	return Claims{
		Issuer: c.Iss, Subject: c.Sub, Username: c.User, Email: c.Email, Groups: c.Groups, PreferredRole: c.Role,
		Issued: time.Unix(c.Iat, 0), Expires: time.Unix(c.Exp, 0),
	}, nil
}

// loginKey names the token's user pool to an identity pool: its issuer without the scheme, as Amplify does, which is also
// right in partitions whose hosts have other names.
func (c Claims) loginKey() string { return strings.TrimPrefix(c.Issuer, "https://") }
