package identity

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	idp "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
)

// Refresh gets new tokens for a login; a refresh token that has come to its end gives ErrLoginNeeded. Where refresh tokens
// rotate the old one is used up then: the caller stores what it gets before anything else.
func (p *UserPool) Refresh(ctx context.Context, l *Login) (*Login, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	result, err := p.refreshTokens(ctx, l)
	if err != nil {
		if code := codeOf(err); ended(code) {
			return nil, &Error{Op: "refresh", Code: code, Kind: ErrLoginNeeded}
		}
		return nil, failed("refresh", err)
	}
	t, err := readTokens(result, time.Now())
	if err != nil {
		return nil, err
	}
	return l.refreshed(t), nil
}

// refreshTokens asks as Amplify does since 2025, which is the only way where refresh tokens rotate, and in the older way
// where the service or the client does not know it.
func (p *UserPool) refreshTokens(ctx context.Context, l *Login) (*types.AuthenticationResultType, error) {
	in := &idp.GetTokensFromRefreshTokenInput{ClientId: aws.String(p.cfg.ClientID), RefreshToken: aws.String(l.Refresh.Reveal())}
	if p.cfg.ClientSecret != "" {
		in.ClientSecret = aws.String(p.cfg.ClientSecret.Reveal())
	}
	out, err := p.client.GetTokensFromRefreshToken(ctx, in)
	if err == nil {
		return out.AuthenticationResult, nil
	}
	switch codeOf(err) {
	case "UnknownOperationException", "UnsupportedOperationException", "InvalidParameterException", "AccessDeniedException":
	default:
		return nil, err
	}
	with := map[string]string{"REFRESH_TOKEN": l.Refresh.Reveal()}
	p.addSecretHash(with, l.Username)
	old, err := p.client.InitiateAuth(ctx, &idp.InitiateAuthInput{
		AuthFlow: types.AuthFlowTypeRefreshTokenAuth, ClientId: aws.String(p.cfg.ClientID), AuthParameters: with,
	})
	if err != nil {
		return nil, err
	}
	return old.AuthenticationResult, nil
}

// SignOut revokes the refresh token and what was made with it. Credentials that an identity pool has given meanwhile are
// good until they expire.
func (p *UserPool) SignOut(ctx context.Context, l *Login) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	in := &idp.RevokeTokenInput{ClientId: aws.String(p.cfg.ClientID), Token: aws.String(l.Refresh.Reveal())}
	if p.cfg.ClientSecret != "" {
		in.ClientSecret = aws.String(p.cfg.ClientSecret.Reveal())
	}
	_, err := p.client.RevokeToken(ctx, in)
	return failed("sign out", err)
}
