package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Client speaks to the control socket of a running mount.
type Client struct {
	http  *http.Client
	limit int64 // bytes of an answer; 0 = none
}

// Dial makes a client; it connects with its first call.
func Dial(socket string) *Client {
	var d net.Dialer
	return &Client{http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return d.DialContext(ctx, "unix", socket)
		},
	}}}
}

// Limit bounds answers, in bytes, where the mount is not to be trusted: it is another user's. A longer one is an error.
func (c *Client) Limit(bytes int64) *Client {
	return &Client{http: c.http, limit: bytes}
}

// Status fills out with the mount's status.
func (c *Client) Status(ctx context.Context, out any) error {
	return c.call(ctx, http.MethodGet, "/status", nil, out)
}

// Explain fills out with what the mount knows of path.
func (c *Client) Explain(ctx context.Context, path string, out any) error {
	return c.call(ctx, http.MethodGet, "/explain", url.Values{"path": {path}}, out)
}

// Sync waits until everything below path is uploaded or failed, for at most limit (0 = as long as it takes), and tells what
// is left.
func (c *Client) Sync(ctx context.Context, path string, limit time.Duration) (Left, error) {
	var left Left
	err := c.call(ctx, http.MethodPost, "/sync", url.Values{"path": {path}, "limit": {limit.String()}}, &left)
	return left, err
}

// Unmount takes the mount away.
func (c *Client) Unmount(ctx context.Context) error {
	return c.call(ctx, http.MethodPost, "/unmount", nil, &struct{}{})
}

// Refused is an error that the mount has answered with: the connection is good.
type Refused struct{ Text string }

// Error is the answer's text.
func (e *Refused) Error() string { return e.Text }

func (c *Client) call(ctx context.Context, method, path string, query url.Values, out any) error {
	return c.send(ctx, method, path, query, nil, func(r io.Reader) error { return json.NewDecoder(r).Decode(out) })
}

// send asks with a JSON document, nil for none, and lets take read the answer.
func (c *Client) send(ctx context.Context, method, path string, query url.Values, doc any, take func(io.Reader) error) error {
	var body io.Reader
	if doc != nil {
		text, err := json.Marshal(doc)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	u := url.URL{Scheme: "http", Host: "control", Path: path, RawQuery: query.Encode()}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("control socket: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer := io.Reader(resp.Body)
	if c.limit > 0 {
		answer = io.LimitReader(answer, c.limit)
	}
	if resp.StatusCode != http.StatusOK {
		var e struct{ Error string }
		if err := json.NewDecoder(answer).Decode(&e); err != nil || e.Error == "" {
			return &Refused{fmt.Sprintf("control socket: HTTP %d", resp.StatusCode)}
		}
		return &Refused{e.Error}
	}
	return take(answer)
}
