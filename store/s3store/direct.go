package s3store

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go/auth"
	smithyendpoints "github.com/aws/smithy-go/endpoints"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// The SDK finds out anew for each attempt of each request where it goes, by which of three schemes it is signed, with whose credentials
// and with what in the signature's scope; for one bucket with one region's signature that is the same each time, and a fifth of what a
// small request costs outside of the network. So the first request goes through the SDK's own steps, and what its rules said
// is used from then on: the SDK's signer with the same arguments. Access points of several regions, directory buckets, and whatever else
// is signed in another way than by name and region keep to the SDK's steps.

// address is where the requests of a client go and how they are signed.
type address struct {
	uri    url.URL
	name   string // of the service, in the signature's scope
	region string
	asSent bool // the signature is of the path as it is sent, not escaped once more
}

// addressOf is nil for an endpoint that needs more than an address has.
func addressOf(e smithyendpoints.Endpoint) *address {
	ways, ok := auth.GetAuthOptions(&e.Properties)
	if !ok || len(ways) != 1 || (ways[0].SchemeID != auth.SchemeIDSigV4 && ways[0].SchemeID != "sigv4") || len(e.Headers) > 0 {
		return nil
	}
	name, named := smithyhttp.GetSigV4SigningName(&ways[0].SignerProperties)
	region, placed := smithyhttp.GetSigV4SigningRegion(&ways[0].SignerProperties)
	if !named || !placed {
		return nil
	}
	asSent, _ := smithyhttp.GetDisableDoubleEncoding(&ways[0].SignerProperties)
	return &address{uri: e.URI, name: name, region: region, asSent: asSent}
}

// ID implements [middleware.FinalizeMiddleware].
func (*address) ID() string { return "address" }

// HandleFinalize completes the URL: the serializer made the path below the bucket, and the query.
func (a *address) HandleFinalize(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	middleware.FinalizeOutput, middleware.Metadata, error,
) {
	req, ok := in.Request.(*smithyhttp.Request)
	if !ok {
		return middleware.FinalizeOutput{}, middleware.Metadata{}, fmt.Errorf("unexpected request %T", in.Request)
	}
	raw := a.uri.RawPath
	if raw == "" && req.URL.RawPath != "" {
		raw = a.uri.Path
	}
	req.URL.Scheme, req.URL.Host = a.uri.Scheme, a.uri.Host
	req.URL.Path = smithyhttp.JoinPath(a.uri.Path, req.URL.Path)
	req.URL.RawPath = smithyhttp.JoinPath(raw, req.URL.RawPath)
	return next.HandleFinalize(ctx, in)
}

// finish is the last step of an attempt. It signs, where it is given an address, takes back the header that tells AWS how many attempts there
// were, and remembers the server's clock for the requests to come.
type finish struct {
	store *Store
	to    *address // nil = the SDK signs
}

// ID implements [middleware.FinalizeMiddleware].
func (finish) ID() string { return "finish" }

// HandleFinalize implements [middleware.FinalizeMiddleware].
func (f finish) HandleFinalize(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	middleware.FinalizeOutput, middleware.Metadata, error,
) {
	req, ok := in.Request.(*smithyhttp.Request)
	if !ok {
		return middleware.FinalizeOutput{}, middleware.Metadata{}, fmt.Errorf("unexpected request %T", in.Request)
	}
	delete(req.Header, "Amz-Sdk-Request")
	if f.to != nil {
		if err := f.sign(ctx, req.Request); err != nil {
			return middleware.FinalizeOutput{}, middleware.Metadata{}, err
		}
	}
	out, answer, err := next.HandleFinalize(ctx, in)
	if skew, ok := awsmiddleware.GetAttemptSkew(answer); ok {
		f.store.skew.Store(int64(skew))
	}
	return out, answer, err
}

func (f finish) sign(ctx context.Context, req *http.Request) error {
	who, err := f.store.credentials.Retrieve(ctx)
	if err != nil {
		return err
	}
	now := time.Now().Add(time.Duration(f.store.skew.Load()))
	return f.store.signer.SignHTTP(ctx, who, req, v4.GetPayloadHash(ctx), f.to.name, f.to.region, now, func(o *v4.SignerOptions) {
		o.DisableURIPathEscaping = f.to.asSent
	})
}

// shorten leaves out of the SDK's steps what does nothing here or is known.
func (s *Store) shorten(stack *middleware.Stack) error {
	// An id for AWS's statistics, of random bytes; and AWS Lambda's trace, from the environment: S3 reads neither.
	for _, id := range []string{"ClientRequestID", "RecursionDetection"} {
		if _, err := stack.Build.Remove(id); err != nil {
			return err
		}
	}
	to := s.endpoints.plain.Load()
	if to == nil {
		return stack.Finalize.Insert(finish{s, nil}, "Signing", middleware.Before)
	}
	// What the SDK's steps of the address and of the signature are told by these.
	for _, id := range []string{"putBucketContext", "setOperationInput"} {
		if _, err := stack.Serialize.Remove(id); err != nil {
			return err
		}
	}
	for _, id := range []string{"ResolveAuthScheme", "GetIdentity", "disableHTTPS", "setLegacyContextSigningOptions"} {
		if _, err := stack.Finalize.Remove(id); err != nil {
			return err
		}
	}
	if _, err := stack.Finalize.Swap("ResolveEndpointV2", to); err != nil {
		return err
	}
	_, err := stack.Finalize.Swap("Signing", finish{s, to})
	return err
}

// summed leaves out the steps that would find out that the request has the checksum of its body. They would look at each header for it, and
// note it for an answer that nobody asks for.
func summed(stack *middleware.Stack) error {
	for _, id := range []string{"AWSChecksum:ComputeInputPayloadChecksum", "addInputChecksumTrailer"} {
		if _, err := stack.Finalize.Remove(id); err != nil {
			return err
		}
	}
	return nil
}
