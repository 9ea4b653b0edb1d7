package s3store

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/auth"
	smithyendpoints "github.com/aws/smithy-go/endpoints"
)

// resolved remembers what the SDK's rules say of an endpoint. They are walked for each request, which costs a small
// upload about a tenth of its CPU time and the growth of a stack, and give the same answer each time: a client has one bucket,
// and the rules look at neither the key nor the source of a copy.
type resolved struct {
	rules s3.EndpointResolverV2
	known sync.Map // of question to smithyendpoints.Endpoint, which fresh copies

	plain atomic.Pointer[address] // what all requests have in common, once that is known; nil = nothing
	mu    sync.Mutex
	kinds int // entries of known
}

// question is what tells the [s3.EndpointParameters] of one client's operations apart, by value.
type question struct {
	bucket, region, endpoint                         string
	fips, dualStack, pathStyle, accelerate, global   bool
	lambda, noAccessPoints, noMultiRegion, arnRegion bool
	expressControl, noExpressSession                 bool
}

// ResolveEndpoint implements [s3.EndpointResolverV2].
func (r *resolved) ResolveEndpoint(ctx context.Context, p s3.EndpointParameters) (smithyendpoints.Endpoint, error) {
	q := question{
		bucket: aws.ToString(p.Bucket), region: aws.ToString(p.Region), endpoint: aws.ToString(p.Endpoint),
		fips: aws.ToBool(p.UseFIPS), dualStack: aws.ToBool(p.UseDualStack), pathStyle: aws.ToBool(p.ForcePathStyle),
		accelerate: aws.ToBool(p.Accelerate), global: aws.ToBool(p.UseGlobalEndpoint),
		lambda: aws.ToBool(p.UseObjectLambdaEndpoint), noAccessPoints: aws.ToBool(p.DisableAccessPoints),
		noMultiRegion: aws.ToBool(p.DisableMultiRegionAccessPoints), arnRegion: aws.ToBool(p.UseArnRegion),
		expressControl: aws.ToBool(p.UseS3ExpressControlEndpoint), noExpressSession: aws.ToBool(p.DisableS3ExpressSessionAuth),
	}
	if e, ok := r.known.Load(q); ok {
		if e, ok := e.(smithyendpoints.Endpoint); ok {
			return fresh(e), nil
		}
	}
	p.Key, p.Prefix, p.CopySource = nil, nil, nil
	e, err := r.rules.ResolveEndpoint(ctx, p)
	if err != nil {
		return e, err
	}
	r.remember(q, fresh(e))
	return e, nil
}

// remember notes an answer of the rules. A second one that differs ends what all requests have in common.
func (r *resolved) remember(q question, e smithyendpoints.Endpoint) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, loaded := r.known.LoadOrStore(q, e); loaded {
		return
	}
	r.kinds++
	r.plain.Store(nil)
	if r.kinds == 1 {
		r.plain.Store(addressOf(e))
	}
}

// fresh copies what the SDK writes into: the ways to sign, to which it adds those of the operation.
func fresh(e smithyendpoints.Endpoint) smithyendpoints.Endpoint {
	old, ok := auth.GetAuthOptions(&e.Properties)
	var all smithy.Properties
	all.SetAll(&e.Properties)
	e.Properties = all
	if !ok {
		return e
	}
	ways := make([]*auth.Option, len(old))
	for i, o := range old {
		ways[i] = &auth.Option{SchemeID: o.SchemeID}
		ways[i].IdentityProperties.SetAll(&o.IdentityProperties)
		ways[i].SignerProperties.SetAll(&o.SignerProperties)
	}
	auth.SetAuthOptions(&e.Properties, ways)
	return e
}
