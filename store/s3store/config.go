package s3store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/store"
)

// Values of [Config.Checksums].
const (
	// ChecksumsSupported sends a CRC32 with every body and asks for full-object
	// checksums of multipart objects.
	ChecksumsSupported = "supported"
	// ChecksumsRequired sends them only where S3 demands one, for servers that
	// refuse the newer headers.
	ChecksumsRequired = "required"
)

const (
	defaultAttempts = 4 // the first and three repetitions: Amplify's documented rule
	defaultRegion   = "us-east-1"
)

// Config says which bucket to use and how. Bucket is required; the zero value
// of every other field is its default.
type Config struct {
	Bucket string
	// Region to sign for. "": the AWS chain's, and us-east-1 for an own Endpoint.
	Region string
	// Endpoint is an http or https URL, or unix:///path/of/socket.
	// "": the endpoint of AWS for Region.
	Endpoint  string
	PathStyle bool

	// Credentials sign the requests; nil takes the AWS default chain with
	// Profile ("" = the chain's).
	Credentials aws.CredentialsProvider
	Profile     string

	MaxAttempts int    // of one read, the first included; 0 = 4
	Checksums   string // ChecksumsSupported ("" too) or ChecksumsRequired
	Timeouts    Timeouts

	CustomerKey  *store.CustomerKey // SSE-C; nil = none
	RequestPayer bool               // x-amz-request-payer on each request
	BucketOwner  string             // x-amz-expected-bucket-owner on each request; "" = none

	// CopyKeepsAll: the server has no storage classes, encryption or redirects, so that a copy can lose none. Else a Copy that is to keep
	// headers which nobody knows costs a HEAD before it.
	CopyKeepsAll bool

	// Transport carries the requests; nil builds one for Endpoint.
	Transport http.RoundTripper

	Log *zap.Logger // nil logs nothing
	// Observe, if set, is told the end of every call: its operation, its
	// duration with all attempts (a get's: until the body is closed), the bytes
	// of the body and how it ended. It must be quick and safe for concurrent use.
	Observe func(op string, d time.Duration, bytes int64, err error)
}

// Timeouts bound the phases of one attempt; 0 takes the default.
type Timeouts struct {
	Dial        time.Duration // TCP connection and TLS handshake, each: 5 s
	ReadHeader  time.Duration // from the start of a read until its answer's headers: 4 s
	ReadTotal   time.Duration // a head, a page of a list, a get until its body begins; with all attempts: 19 s
	ReadStall   time.Duration // without a byte of a get's body while one is waited for: 10 s
	WriteStall  time.Duration // without the connection taking a byte of a body: 20 s
	WriteHeader time.Duration // from the end of a body until the answer: 60 s
	LongHeader  time.Duration // the same for copies and completions, which work on the server: 10 min
}

func (t Timeouts) withDefaults() Timeouts {
	return Timeouts{
		Dial:        cmp.Or(t.Dial, 5*time.Second),
		ReadHeader:  cmp.Or(t.ReadHeader, 4*time.Second),
		ReadTotal:   cmp.Or(t.ReadTotal, 19*time.Second),
		ReadStall:   cmp.Or(t.ReadStall, 10*time.Second),
		WriteStall:  cmp.Or(t.WriteStall, 20*time.Second),
		WriteHeader: cmp.Or(t.WriteHeader, 60*time.Second),
		LongHeader:  cmp.Or(t.LongHeader, 10*time.Minute),
	}
}

// Validate reports the first setting that can not work.
func (c Config) Validate() error {
	switch {
	case c.Bucket == "":
		return errors.New("no bucket is set")
	case c.MaxAttempts < 0:
		return fmt.Errorf("max attempts %d: must be at least 1", c.MaxAttempts)
	case c.Checksums != "" && c.Checksums != ChecksumsSupported && c.Checksums != ChecksumsRequired:
		return fmt.Errorf("checksums %q: must be %q or %q", c.Checksums, ChecksumsSupported, ChecksumsRequired)
	}
	return nil
}

// ProviderName is what Amplify calls its own provider, and ProviderAlias what people type. Source: Amplify JavaScript v5, AWSS3Provider.
const (
	ProviderName  = "AWSS3"
	ProviderAlias = "s3"
)

func init() { store.Register(ProviderName, Provider, ProviderAlias) }

// Provider makes the provider of buckets of S3 and of what speaks like it.
func Provider() store.Provider { return store.Pluggable(ProviderName, Open) }

// Open opens a bucket with the credentials of o, else of the AWS default chain: the
// provider AWSS3. It sends no request.
func Open(ctx context.Context, o store.Options) (*Store, error) {
	cfg := Config{
		Bucket: o.Bucket, Region: o.Region, Endpoint: o.Endpoint, PathStyle: o.PathStyle,
		Profile: o.Profile, MaxAttempts: o.MaxAttempts, Checksums: o.Checksums,
		CustomerKey: o.CustomerKey, RequestPayer: o.RequestPayer, BucketOwner: o.BucketOwner,
	}
	if o.Credentials != nil {
		cfg.Credentials = handed(o.Credentials)
	}
	return New(ctx, cfg)
}

// Store is one bucket.
type Store struct {
	bucket   string
	client   *s3.Client
	attempts int
	timeouts Timeouts
	checksum bool // ChecksumsSupported
	keepsAll bool // CopyKeepsAll
	key      *store.CustomerKey
	plain    plainKeys // only with a key
	payer    bool
	owner    string
	http     *client
	observe  func(op string, d time.Duration, bytes int64, err error)

	endpoints   *resolved
	credentials aws.CredentialsProvider
	signer      *v4.Signer
	skew        atomic.Int64 // nanoseconds by which the server's clock was ahead of ours at its last answer
}

var (
	_ store.Store     = (*Store)(nil)
	_ store.Prober    = (*Store)(nil)
	_ store.Presigner = (*Store)(nil)
)

// New opens a bucket. It reads the AWS configuration files when
// cfg.Credentials is nil, and sends no request.
func New(ctx context.Context, cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("s3 store: %w", err)
	}
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	endpoint, err := parseEndpoint(cfg.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("s3 store: %w", err)
	}
	shared, err := sharedConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("s3 store: %w", err)
	}
	if shared.Region == "" {
		if endpoint.url == "" && shared.BaseEndpoint == nil {
			return nil, errors.New("s3 store: no region is set: use --region or AWS_REGION")
		}
		shared.Region = defaultRegion
	}
	s := &Store{
		bucket:   cfg.Bucket,
		attempts: cmp.Or(cfg.MaxAttempts, defaultAttempts),
		timeouts: cfg.Timeouts.withDefaults(),
		checksum: cfg.Checksums != ChecksumsRequired,
		observe:  cfg.Observe,
		keepsAll: cfg.CopyKeepsAll,
		key:      cfg.CustomerKey,
		payer:    cfg.RequestPayer,
		owner:    cfg.BucketOwner,
		signer:   v4.NewSigner(),
	}
	s.http = newClient(cfg.Transport, endpoint, s.timeouts)
	s.client = s3.NewFromConfig(shared, s.clientOptions(cfg, endpoint)...)
	return s, nil
}

func sharedConfig(ctx context.Context, cfg Config) (aws.Config, error) {
	if cfg.Credentials != nil {
		return aws.Config{Region: cfg.Region, Credentials: cfg.Credentials}, nil
	}
	opts := []func(*config.LoadOptions) error{config.WithLogger(bridge(cfg.Log))}
	if cfg.Region != "" {
		opts = append(opts, config.WithRegion(cfg.Region))
	}
	if cfg.Profile != "" {
		opts = append(opts, config.WithSharedConfigProfile(cfg.Profile))
	}
	return config.LoadDefaultConfig(ctx, opts...)
}

// bridge takes what the SDK has to say into our log.
func bridge(log *zap.Logger) logging.Logger {
	return logging.LoggerFunc(func(class logging.Classification, format string, v ...any) {
		level := zap.DebugLevel
		if class == logging.Warn {
			level = zap.WarnLevel
		}
		log.Log(level, "AWS SDK says", zap.String("text", fmt.Sprintf(format, v...)))
	})
}

func (s *Store) clientOptions(cfg Config, e endpoint) []func(*s3.Options) {
	return []func(*s3.Options){func(o *s3.Options) {
		o.HTTPClient = s.http
		s.credentials = namedCredentials{o.Credentials}
		o.Credentials = s.credentials
		if e.url != "" {
			o.BaseEndpoint = aws.String(e.url)
		}
		s.endpoints = &resolved{rules: o.EndpointResolverV2}
		o.EndpointResolverV2 = s.endpoints
		o.UsePathStyle = cfg.PathStyle || e.socket != ""
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenSupported
		if !s.checksum {
			o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		}
		// Bodies are verified by the reader above, who knows whole units.
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		o.DisableLogOutputChecksumValidationSkipped = true
		o.Logger, o.ClientLogMode = bridge(cfg.Log), 0 // no requests or answers in logs
		o.APIOptions = append(o.APIOptions, s.shorten, skipNoBody, s.always)
		if e.loopback {
			o.APIOptions = append(o.APIOptions, unsignedPayload)
		}
	}}
}

// Limits are those of Amazon S3. CopyCond is false: only a test of the server
// at hand could prove it.
func (s *Store) Limits() store.Limits { return store.S3Limits() }

// Close ends the idle connections.
func (s *Store) Close() error {
	s.http.closeIdle()
	return nil
}
