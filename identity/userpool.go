package identity

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	idp "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
)

const (
	attempts     = 4                // of one request, the first included
	maxRetryWait = 5 * time.Second  // between two of them
	callTimeout  = 15 * time.Second // of one request with all its attempts
)

// UserPoolConfig says which user pool and app client people sign in with.
type UserPoolConfig struct {
	ID           string            // such as us-east-1_AbCdEfGhI
	ClientID     string            // of the app client
	ClientSecret Secret            // "" where the client has none, as those of Amplify's web apps
	Endpoint     string            // URL; "" = AWS's for the pool's region
	Transport    http.RoundTripper // nil = net/http's default
}

// UserPool signs users in. It is safe for concurrent use.
type UserPool struct {
	cfg    UserPoolConfig
	client *idp.Client
}

// NewUserPool checks the configuration; it sends no request.
func NewUserPool(cfg UserPoolConfig) (*UserPool, error) {
	region, name, ok := strings.Cut(cfg.ID, "_")
	if !ok || region == "" || name == "" {
		return nil, fmt.Errorf("user pool %q: must be REGION_NAME, such as us-east-1_AbCdEfGhI", cfg.ID)
	}
	if cfg.ClientID == "" {
		return nil, fmt.Errorf("user pool %s: no app client: give its id", cfg.ID)
	}
	o := idp.Options{
		Region: region, Credentials: aws.AnonymousCredentials{}, HTTPClient: httpClient(cfg.Transport), Retryer: retryer(),
	}
	if cfg.Endpoint != "" {
		o.BaseEndpoint = aws.String(cfg.Endpoint)
	}
	return &UserPool{cfg: cfg, client: idp.New(o)}, nil
}

func httpClient(transport http.RoundTripper) *http.Client {
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// retryer repeats what was throttled, failed on the server's side or got no answer.
func retryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = attempts, maxRetryWait })
}

// Flow is how a password is proved.
type Flow string

// The flows of a sign-in by password.
const (
	FlowSRP      Flow = "srp"      // USER_SRP_AUTH: the password never leaves this machine
	FlowPassword Flow = "password" // USER_PASSWORD_AUTH: it is sent; user migration triggers need that
)

// tokens are what a sign-in gives.
type tokens struct {
	id, access, refresh Secret
	claims              Claims // of the id token
	expires             time.Time
}

// signIn is a sign-in under way.
type signIn struct {
	pool   *UserPool
	user   string
	ask    Prompter
	now    func() time.Time
	secret Secret // the password
}

// SignIn proves the password and answers the challenges that follow with what ask gives. The tokens are for [Tokens].
func (p *UserPool) SignIn(ctx context.Context, user string, password Secret, flow Flow, ask Prompter) (*Login, error) {
	s := &signIn{pool: p, user: user, ask: ask, now: time.Now, secret: password}
	var result *types.AuthenticationResultType
	var err error
	switch flow {
	case FlowSRP, "":
		result, err = s.bySRP(ctx)
	case FlowPassword:
		result, err = s.byPassword(ctx)
	default:
		return nil, fmt.Errorf("flow %q: must be %s or %s", flow, FlowSRP, FlowPassword)
	}
	if err != nil {
		return nil, err
	}
	t, err := readTokens(result, s.now())
	if err != nil {
		return nil, err
	}
	return newLogin(t, s.now()), nil
}

// bySRP begins with USER_SRP_AUTH, whose first challenge is the proof of the password.
func (s *signIn) bySRP(ctx context.Context) (*types.AuthenticationResultType, error) {
	srp, err := newRandomSRP()
	if err != nil {
		return nil, err
	}
	out, err := s.initiate(ctx, types.AuthFlowTypeUserSrpAuth, map[string]string{"SRP_A": srp.public()})
	if err != nil {
		return nil, err
	}
	if out.ChallengeName != types.ChallengeNameTypePasswordVerifier {
		return s.challenges(ctx, challenge{out.ChallengeName, out.ChallengeParameters, out.Session}, out.AuthenticationResult)
	}
	q := out.ChallengeParameters
	ch := srpChallenge{
		poolName: poolName(s.pool.cfg.ID), userID: q["USER_ID_FOR_SRP"], salt: q["SALT"], bigB: q["SRP_B"], secretBlock: q["SECRET_BLOCK"],
	}
	signature, timestamp, err := srp.sign(ch, s.secret, s.now())
	if err != nil {
		return nil, fmt.Errorf("sign in: %w", err)
	}
	s.user = ch.userID
	return s.respond(ctx, challenge{out.ChallengeName, q, out.Session}, map[string]string{
		"PASSWORD_CLAIM_SECRET_BLOCK": ch.secretBlock, "PASSWORD_CLAIM_SIGNATURE": signature, "TIMESTAMP": timestamp,
	})
}

func (s *signIn) byPassword(ctx context.Context) (*types.AuthenticationResultType, error) {
	out, err := s.initiate(ctx, types.AuthFlowTypeUserPasswordAuth, map[string]string{"PASSWORD": s.secret.Reveal()})
	if err != nil {
		return nil, err
	}
	return s.challenges(ctx, challenge{out.ChallengeName, out.ChallengeParameters, out.Session}, out.AuthenticationResult)
}

func (s *signIn) initiate(ctx context.Context, flow types.AuthFlowType, with map[string]string) (*idp.InitiateAuthOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	with["USERNAME"] = s.user
	s.pool.addSecretHash(with, s.user)
	out, err := s.pool.client.InitiateAuth(ctx, &idp.InitiateAuthInput{
		AuthFlow: flow, ClientId: aws.String(s.pool.cfg.ClientID), AuthParameters: with,
	})
	return out, failed("sign in", err)
}

func (p *UserPool) addSecretHash(with map[string]string, user string) {
	if p.cfg.ClientSecret != "" {
		with["SECRET_HASH"] = secretHash(user, p.cfg.ClientID, p.cfg.ClientSecret)
	}
}

var errNoTokens = errors.New("the user pool has answered without tokens: that is not what it should do")

// readTokens takes what a sign-in or a refresh gave. Expiry counts from now, by this machine's clock, for the lifetime
// that the token has by the server's.
func readTokens(r *types.AuthenticationResultType, now time.Time) (tokens, error) {
	if r == nil || aws.ToString(r.IdToken) == "" {
		return tokens{}, errNoTokens
	}
	t := tokens{
		id: Secret(aws.ToString(r.IdToken)), access: Secret(aws.ToString(r.AccessToken)), refresh: Secret(aws.ToString(r.RefreshToken)),
	}
	claims, err := parseClaims(t.id)
	if err != nil {
		return tokens{}, fmt.Errorf("id token: %w", err)
	}
	t.claims = claims
	t.expires = now.Add(max(claims.Expires.Sub(claims.Issued), 0)).Round(0) // by the wall clock, which goes on while the machine sleeps
	return t, nil
}
