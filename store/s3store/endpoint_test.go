package s3store

import (
	"context"
	"reflect"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyendpoints "github.com/aws/smithy-go/endpoints"
)

type counting struct {
	s3.EndpointResolverV2
	mu    sync.Mutex
	asked int
}

func (c *counting) ResolveEndpoint(ctx context.Context, p s3.EndpointParameters) (smithyendpoints.Endpoint, error) {
	c.mu.Lock()
	c.asked++
	c.mu.Unlock()
	return c.EndpointResolverV2.ResolveEndpoint(ctx, p)
}

// TestEndpointIsResolvedOnce: the rules are asked once for each kind of request, and what is remembered is what they said.
func TestEndpointIsResolvedOnce(t *testing.T) {
	t.Parallel()
	rules := &counting{EndpointResolverV2: s3.NewDefaultEndpointResolverV2()}
	r := &resolved{rules: rules}
	no := aws.Bool(false)
	with := func(key string, change func(*s3.EndpointParameters)) s3.EndpointParameters {
		p := s3.EndpointParameters{
			Bucket: aws.String("bucket"), Region: aws.String("eu-central-1"), Key: &key, UseFIPS: no, UseDualStack: no,
			ForcePathStyle: no, Accelerate: no, UseGlobalEndpoint: no, DisableMultiRegionAccessPoints: no,
		}
		if change != nil {
			change(&p)
		}
		return p
	}
	kinds := []func(*s3.EndpointParameters){
		nil,
		func(p *s3.EndpointParameters) { p.ForcePathStyle = aws.Bool(true) },
		func(p *s3.EndpointParameters) { p.Endpoint = aws.String("http://127.0.0.1:9000") },
		func(p *s3.EndpointParameters) { p.UseDualStack = aws.Bool(true) },
		func(p *s3.EndpointParameters) { p.Bucket = aws.String("bucket--use1-az4--x-s3") },
		func(p *s3.EndpointParameters) { p.Region = aws.String("us-east-1") },
	}
	for _, kind := range kinds {
		for range 3 {
			want, err := s3.NewDefaultEndpointResolverV2().ResolveEndpoint(t.Context(), with("a", kind))
			if err != nil {
				t.Fatal(err)
			}
			got, err := r.ResolveEndpoint(t.Context(), with("some/other key", kind))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, want %+v", got, want)
			}
		}
	}
	if rules.asked != len(kinds) {
		t.Errorf("the rules were asked %d times for %d kinds of requests", rules.asked, len(kinds))
	}
}

// TestEndpointErrorsAreNotKept: a refusal says the same each time, and is no endpoint.
func TestEndpointErrorsAreNotKept(t *testing.T) {
	t.Parallel()
	r := &resolved{rules: s3.NewDefaultEndpointResolverV2()}
	for range 2 {
		if _, err := r.ResolveEndpoint(t.Context(), s3.EndpointParameters{}); err == nil {
			t.Fatal("no error for no region")
		}
	}
}
