package identity

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	ci "github.com/aws/aws-sdk-go-v2/service/cognitoidentity"
)

// PoolConfig says which identity pool gives credentials.
type PoolConfig struct {
	ID        string            // such as us-east-1:11111111-2222-3333-4444-555555555555
	RoleARN   string            // of the roles that the user's groups have; "" = the pool's choice
	Endpoint  string            // URL; "" = AWS's for the pool's region
	Transport http.RoundTripper // nil = net/http's default
}

// Pool is an identity pool: it gives identity ids and AWS credentials. It is safe for concurrent use.
type Pool struct {
	cfg    PoolConfig
	client *ci.Client
}

// NewPool checks the configuration; it sends no request.
func NewPool(cfg PoolConfig) (*Pool, error) {
	region, id, ok := strings.Cut(cfg.ID, ":")
	if !ok || region == "" || id == "" {
		return nil, fmt.Errorf("identity pool %q: must be REGION:UUID, such as us-east-1:11111111-2222-3333-4444-555555555555", cfg.ID)
	}
	o := ci.Options{
		Region: region, Credentials: aws.AnonymousCredentials{}, HTTPClient: httpClient(cfg.Transport), Retryer: retryer(),
	}
	if cfg.Endpoint != "" {
		o.BaseEndpoint = aws.String(cfg.Endpoint)
	}
	return &Pool{cfg: cfg, client: ci.New(o)}, nil
}

// granted are credentials and whose they are.
type granted struct {
	identity string
	creds    aws.Credentials // Expires is by this machine's clock
	life     time.Duration   // when they were given
}

// logins names the user to the identity pool; nil for a guest.
func logins(l *Login) (map[string]string, error) {
	if l == nil {
		return nil, nil // a guest has none
	}
	c, err := l.Claims()
	if err != nil {
		return nil, fmt.Errorf("id token: %w", err)
	}
	return map[string]string{c.loginKey(): l.ID.Reveal()}, nil
}

// getID finds or makes the identity of a login, or makes a guest's.
func (p *Pool) getID(ctx context.Context, l *Login) (string, error) {
	with, err := logins(l)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out, err := p.client.GetId(ctx, &ci.GetIdInput{IdentityPoolId: aws.String(p.cfg.ID), Logins: with})
	if err != nil {
		return "", poolFailed("identity", l, err)
	}
	if aws.ToString(out.IdentityId) == "" {
		return "", errNoCredentials
	}
	return aws.ToString(out.IdentityId), nil
}

var errNoCredentials = errors.New("the identity pool has answered without identity or credentials: that is not what it should do")

// credentials asks for those of an identity. The identity of the answer counts, which can be another one.
func (p *Pool) credentials(ctx context.Context, id string, l *Login) (granted, error) {
	with, err := logins(l)
	if err != nil {
		return granted{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	in := &ci.GetCredentialsForIdentityInput{IdentityId: aws.String(id), Logins: with}
	if p.cfg.RoleARN != "" && l != nil {
		in.CustomRoleArn = aws.String(p.cfg.RoleARN)
	}
	out, err := p.client.GetCredentialsForIdentity(ctx, in)
	if err != nil {
		return granted{}, poolFailed("credentials", l, err)
	}
	c := out.Credentials
	if aws.ToString(out.IdentityId) == "" || c == nil || aws.ToString(c.AccessKeyId) == "" || c.Expiration == nil {
		return granted{}, errNoCredentials
	}
	now := time.Now()
	server, ok := awsmiddleware.GetServerTime(out.ResultMetadata) // its clock and ours may differ
	if !ok {
		server = now
	}
	life := c.Expiration.Sub(server)
	return granted{identity: *out.IdentityId, life: life, creds: aws.Credentials{
		AccessKeyID: *c.AccessKeyId, SecretAccessKey: aws.ToString(c.SecretKey), SessionToken: aws.ToString(c.SessionToken),
		Source: "Cognito", CanExpire: true, Expires: now.Add(life).Round(0), // by the wall clock, which goes on while the machine sleeps
	}}, nil
}

// poolFailed is failed with the mends of an identity pool, where one code has other causes than in a user pool.
func poolFailed(op string, l *Login, err error) error {
	if codeOf(err) != "NotAuthorizedException" {
		return failed(op, err)
	}
	mend := "the identity pool does not take this login: check that it trusts the user pool and client, and --role-arn"
	if l == nil {
		mend = "the identity pool allows no guests: sign in with `s3levelfs login`, or enable guest access"
	}
	return &Error{Op: op, Code: "NotAuthorizedException", Kind: ErrRefused, Mend: mend}
}

// hasCode tells whether an error is the answer of that code.
func hasCode(err error, code string) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Code == code
}
