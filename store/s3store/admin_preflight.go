package s3store

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Preflight is what a browser asks before it sends a request from a page of Origin.
type Preflight struct {
	Origin  string
	Method  string
	Headers []string // that the request will have, in any case
}

// PreflightAnswer is what the server lets it do.
type PreflightAnswer struct {
	Allowed bool     // the request, with all of its headers
	Exposed []string // headers of answers that a page may read, where the server tells
}

// Ask sends a real preflight (OPTIONS) for a key. It is not signed, as a browser's is not, and needs no rights. Source: Fetch
// standard, "CORS-preflight fetch".
func (s *Store) Ask(ctx context.Context, key string, p Preflight) (PreflightAnswer, error) {
	ctx, call := s.read(ctx, opPreflight, key, s.timeouts.ReadHeader)
	answer, err := s.ask(ctx, key, p)
	return answer, call.end(0, err)
}

func (s *Store) ask(ctx context.Context, key string, p Preflight) (PreflightAnswer, error) {
	at, err := s.urlOf(ctx, key)
	if err != nil {
		return PreflightAnswer{}, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodOptions, at, nil)
	if err != nil {
		return PreflightAnswer{}, err
	}
	r.Header.Set("Origin", p.Origin)
	r.Header.Set("Access-Control-Request-Method", p.Method)
	if len(p.Headers) > 0 {
		r.Header.Set("Access-Control-Request-Headers", strings.ToLower(strings.Join(p.Headers, ",")))
	}
	resp, err := s.http.Do(r)
	if err != nil {
		return PreflightAnswer{}, err
	}
	_ = resp.Body.Close()
	switch resp.StatusCode / 100 {
	case 5:
		return PreflightAnswer{}, fmt.Errorf("the server answers a preflight with %s", resp.Status)
	case 3: // browsers do not follow it
		return PreflightAnswer{}, fmt.Errorf("the server answers a preflight with %s: check --region and --endpoint", resp.Status)
	}
	h := resp.Header
	origin := h.Get("Access-Control-Allow-Origin")
	allowed := resp.StatusCode/100 == 2 && (origin == "*" || origin == p.Origin) && names(h.Values("Access-Control-Allow-Methods"), p.Method)
	for _, name := range p.Headers {
		allowed = allowed && names(h.Values("Access-Control-Allow-Headers"), name)
	}
	return PreflightAnswer{Allowed: allowed, Exposed: list(h.Values("Access-Control-Expose-Headers"))}, nil
}

// names reports whether a header that is a list has a word, or a star, which stands for all but Authorization.
func names(values []string, word string) bool {
	for _, w := range list(values) {
		if strings.EqualFold(w, word) || w == "*" && !strings.EqualFold(word, "authorization") {
			return true
		}
	}
	return false
}

func list(values []string) []string {
	var out []string
	for _, v := range values {
		for w := range strings.SplitSeq(v, ",") {
			if w = strings.TrimSpace(w); w != "" {
				out = append(out, w)
			}
		}
	}
	return out
}

// urlOf is where a key is. The SDK tells it of a request that is signed in its URL; what signs it, with made-up credentials, is cut off.
func (s *Store) urlOf(ctx context.Context, key string) (string, error) {
	signed, err := s3.NewPresignClient(s.client).PresignGetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: &key},
		func(o *s3.PresignOptions) {
			o.ClientOptions = append(o.ClientOptions, func(o *s3.Options) {
				o.APIOptions = nil // ours are for requests that are sent: they take out steps that this one needs
				o.Credentials = aws.NewCredentialsCache(credentials.NewStaticCredentialsProvider("nobody", "nothing", ""))
			})
		})
	if err != nil {
		return "", err
	}
	u, err := url.Parse(signed.URL)
	if err != nil {
		return "", err
	}
	u.RawQuery = ""
	return u.String(), nil
}
