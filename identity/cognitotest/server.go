package cognitotest

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// The pools of a Server whose Config names no others.
const (
	Region         = "us-east-1"
	UserPoolID     = "us-east-1_TestPool1"
	IdentityPoolID = "us-east-1:99999999-8888-7777-6666-555555555555"
	ClientID       = "client1test2id3"
)

// Config says how the pools are set up. The zero value is a public client without guests, rotation or limits.
type Config struct {
	UserPool        string        // its id; "" = UserPoolID
	IdentityPool    string        // its id; "" = IdentityPoolID
	Client          string        // the app client's id; "" = ClientID
	ClientSecret    string        // of the app client; "" = it has none
	TokenLife       time.Duration // of id and access tokens; 0 = 1 h
	CredentialsLife time.Duration // of AWS credentials; 0 = 1 h
	RefreshLife     time.Duration // of refresh tokens; 0 = 30 days
	Rotate          bool          // refresh tokens can be used once
	NoGetTokens     bool          // GetTokensFromRefreshToken is not known
	NoPassword      bool          // USER_PASSWORD_AUTH is not allowed
	Guests          bool
	GuestKeys       Keys // of all guests; zero = random
}

// Keys are AWS credentials as an identity pool gives them.
type Keys struct{ Access, Secret, Session string }

// Server is both pools. It is safe for concurrent use; its clock is package time's.
type Server struct {
	URL string // of both endpoints; "" unless it was served

	key ed25519.PrivateKey

	mu       sync.Mutex
	cfg      Config
	users    map[string]*user     // by name
	sessions map[string]*session  // challenges that wait for an answer
	refresh  map[string]*grant    // refresh tokens
	linked   map[string]*identity // identities by id
	keys     map[string]Keys      // by identity id
	roles    map[string]string    // group -> role ARN
	calls    map[string]int       // by operation
	secrets  map[string]bool      // texts
	throttle int                  // requests that are still to be refused
	down     bool
	before   func(operation string) // nil = nothing
}

// New makes a server that is reached through Transport alone, without a network: what synctest needs.
func New(cfg Config) (*Server, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	cfg.UserPool, cfg.IdentityPool, cfg.Client = cmp.Or(cfg.UserPool, UserPoolID), cmp.Or(cfg.IdentityPool, IdentityPoolID), cmp.Or(cfg.Client, ClientID)
	return &Server{
		key: key, cfg: cfg, users: map[string]*user{}, sessions: map[string]*session{}, refresh: map[string]*grant{},
		linked: map[string]*identity{}, keys: map[string]Keys{}, roles: map[string]string{}, calls: map[string]int{}, secrets: map[string]bool{},
	}, nil
}

// Start is New on 127.0.0.1, until the test ends.
func Start(t testing.TB, cfg Config) *Server {
	t.Helper()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	s.URL = web.URL
	return s
}

// Transport carries requests to the server in the caller's goroutine.
func (s *Server) Transport() http.RoundTripper { return direct{s} }

type direct struct{ s *Server }

// RoundTrip implements [http.RoundTripper].
func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if d.s.isDown() {
		return nil, io.ErrUnexpectedEOF
	}
	w := httptest.NewRecorder()
	d.s.ServeHTTP(w, r)
	if r.Body != nil {
		_ = r.Body.Close()
	}
	w.Flush()
	return w.Result(), nil
}

// operation is one of the API's.
type operation func(s *Server, in map[string]any) (any, error)

func operations() map[string]operation {
	return map[string]operation{
		"InitiateAuth": (*Server).initiateAuth, "RespondToAuthChallenge": (*Server).respond,
		"GetTokensFromRefreshToken": (*Server).getTokens, "RevokeToken": (*Server).revokeToken,
		"GetId": (*Server).getID, "GetCredentialsForIdentity": (*Server).getCredentials,
	}
}

// apiError is what an operation refuses with.
type apiError struct {
	code, message string
	status        int
}

func (e *apiError) Error() string { return e.code }

func refuse(code, message string) error {
	return &apiError{code, message, http.StatusBadRequest}
}

// ServeHTTP implements [http.Handler] with the AWS JSON 1.1 protocol.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, name, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	var in map[string]any
	text, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.NewDecoder(bytes.NewReader(text)).Decode(&in)
	}
	s.mu.Lock()
	hook := s.before
	s.mu.Unlock()
	if hook != nil {
		hook(name)
	}
	if s.isDown() {
		panic(http.ErrAbortHandler)
	}
	var out any
	if err != nil {
		err = refuse("SerializationException", "no JSON")
	} else {
		out, err = s.run(name, in)
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
	if e, ok := err.(*apiError); ok { //nolint:errorlint // nobody wraps it
		w.WriteHeader(e.status)
		out = map[string]string{"__type": e.code, "message": e.message}
	}
	_ = json.NewEncoder(w).Encode(out)
}

func (s *Server) run(name string, in map[string]any) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[name]++
	op, ok := operations()[name]
	switch {
	case s.throttle > 0:
		s.throttle--
		return nil, &apiError{"TooManyRequestsException", "Rate exceeded", http.StatusTooManyRequests}
	case !ok, name == "GetTokensFromRefreshToken" && s.cfg.NoGetTokens:
		return nil, refuse("UnknownOperationException", "")
	}
	return op(s, in)
}

func (s *Server) isDown() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.down
}

// SetDown lets no request through: connections end without an answer.
func (s *Server) SetDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

// Throttle refuses the next n requests.
func (s *Server) Throttle(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.throttle = n
}

// Configure changes the configuration for what is asked from now on.
func (s *Server) Configure(change func(*Config)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.cfg)
}

// Before sets what is called before each operation is looked at; nil = nothing.
func (s *Server) Before(f func(operation string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = f
}

// Calls is how often an operation was asked for, refused requests included; "" = all of them.
func (s *Server) Calls(operation string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if operation != "" {
		return s.calls[operation]
	}
	n := 0
	for _, c := range s.calls {
		n += c
	}
	return n
}

// Secrets lists every secret that was given out or came in: passwords, codes, tokens, keys.
func (s *Server) Secrets() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.secrets))
}

// secret notes a text that must never be seen elsewhere. Called with mu held.
func (s *Server) secret(text string) string {
	if text != "" {
		s.secrets[text] = true
	}
	return text
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

// uuid is a random one, with its version.
func uuid() string {
	b := random(16)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func randomHex(n int) string { return hex.EncodeToString(random(n)) }

// text takes a member of a request; "" where it is missing.
func text(in map[string]any, path ...string) string {
	for _, p := range path[:len(path)-1] {
		in, _ = in[p].(map[string]any)
	}
	v, _ := in[path[len(path)-1]].(string)
	return v
}
