package tracking

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// maxAnswer bounds what is read of an answer, in bytes, so that the connection can be used again.
const maxAnswer = 64 << 10

// webhook posts batches as JSON arrays.
type webhook struct {
	url    string
	token  Secret
	client *http.Client
}

// OpenWebhook posts to the URL of a target of the kind ToWebhook, with the token as bearer where there is one (RFC 6750). A status of 2xx takes a batch;
// after 408, 425, 429, 5xx and where no answer comes it is posted again; all else refuses it, redirections included: events go where the user has
// said.
func OpenWebhook(t Target, token Secret) Sink {
	return &webhook{
		url: t.url.String(), token: token,
		client: &http.Client{
			Timeout:       SendTimeout,
			Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: SendTimeout},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

func (w *webhook) Send(ctx context.Context, batch []Event) Outcome {
	text, err := json.Marshal(batch)
	if err != nil {
		return taken(batch, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(text))
	if err != nil {
		return taken(batch, errors.New("webhook: its URL can not be used"))
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "s3levelfs")
	if w.token != "" {
		req.Header.Set("Authorization", "Bearer "+w.token.Reveal())
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return Outcome{Again: batch, Err: fmt.Errorf("webhook: %w", withoutURL(err))}
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer)) // its status has said all
	_ = resp.Body.Close()
	switch s := resp.StatusCode; {
	case s >= 200 && s < 300:
		return Outcome{}
	case s == http.StatusRequestTimeout, s == http.StatusTooEarly, s == http.StatusTooManyRequests, s >= 500:
		return Outcome{Again: batch, Err: fmt.Errorf("webhook: HTTP %d", s)}
	default:
		return taken(batch, fmt.Errorf("webhook: HTTP %d: check --track-to, and S3LEVELFS_TRACK_TOKEN where it wants one", s))
	}
}

func (w *webhook) Close() error {
	w.client.CloseIdleConnections()
	return nil
}

// withoutURL is the cause without the URL that net/http puts in front, for that may hold a key.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
