package s3store

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go/middleware"
)

const (
	maxIdlePerHost = 128 // requests that cache and uploader keep in flight together
	idleTimeout    = 30 * time.Second
	wireBuffer     = 64 << 10 // bytes of each connection's read and write buffer
	wholeBody      = 32 << 10 // bytes up to which a body is read before it is sent: with its head it fits the buffer
)

// endpoint is where requests go.
type endpoint struct {
	url      string // for the SDK; "" = AWS's own for the region
	socket   string // unix socket path, "" = network
	loopback bool   // never leaves this machine
}

func parseEndpoint(s string) (endpoint, error) {
	if s == "" {
		return endpoint{}, nil
	}
	u, err := url.Parse(s)
	if err != nil {
		return endpoint{}, fmt.Errorf("endpoint: %w", err)
	}
	switch {
	case u.Scheme == "unix" && u.Path != "":
		return endpoint{url: "http://localhost", socket: u.Path, loopback: true}, nil
	case (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil:
		return endpoint{url: s, loopback: u.Scheme == "http" && isLoopback(u.Hostname())}, nil
	}
	return endpoint{}, fmt.Errorf("endpoint %q: must be http://HOST, https://HOST or unix:///SOCKET", u.Redacted())
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// newTransport is tuned for many parallel requests to one host. Compression is
// off: objects with Content-Encoding gzip must come as they are stored.
func newTransport(e endpoint, t Timeouts) *http.Transport {
	dialer := &net.Dialer{Timeout: t.Dial, KeepAlive: 15 * time.Second}
	tr := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dialer.DialContext,
		TLSHandshakeTimeout:   t.Dial,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
		MaxIdleConns:          0,
		MaxIdleConnsPerHost:   maxIdlePerHost,
		IdleConnTimeout:       idleTimeout,
		ExpectContinueTimeout: time.Second,
		DisableCompression:    true,
		ReadBufferSize:        wireBuffer,
		WriteBufferSize:       wireBuffer,
	}
	if e.socket != "" {
		tr.Proxy = nil
		tr.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", e.socket)
		}
	}
	return tr
}

// unsignedPayload leaves the body out of the signature on connections that never
// leave the machine, where SHA-256 would cost a second reading of every body and
// protect nothing; over TLS the SDK does the same, over any other http it signs.
// It comes before the SDK's own step, which hashes what has no hash yet.
func unsignedPayload(stack *middleware.Stack) error {
	return stack.Finalize.Add(middleware.FinalizeMiddlewareFunc("unsignedPayload", func(
		ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
	) (middleware.FinalizeOutput, middleware.Metadata, error) {
		return next.HandleFinalize(v4.SetPayloadHash(ctx, "UNSIGNED-PAYLOAD"), in)
	}), middleware.Before)
}
