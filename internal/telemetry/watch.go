package telemetry

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
)

// WatchRequest says whose events are wanted; the zero value is all.
type WatchRequest struct {
	Path   string // below this path of the mount, or of it
	Prefix string // of keys that begin so
}

// Watcher is a mount whose events can be listened to.
type Watcher interface {
	// Watch gives events as JSON documents, from now on, until ctx or the mount ends.
	Watch(ctx context.Context, r WatchRequest) (iter.Seq[any], error)
}

// maxEvent bounds one event on the socket, in bytes: keys, paths and errors are far shorter.
const maxEvent = 1 << 20

// watchRoute streams a Watcher's events, a JSON document a line.
func watchRoute(mux *http.ServeMux, c Watcher, answer func(http.ResponseWriter, any, error)) {
	mux.HandleFunc("GET /watch", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		events, err := c.Watch(r.Context(), WatchRequest{Path: q.Get("path"), Prefix: q.Get("prefix")})
		if err != nil {
			answer(w, nil, err)
			return
		}
		w.Header().Set("Content-Type", "application/jsonl")
		flush := http.NewResponseController(w).Flush
		to := json.NewEncoder(w)
		to.SetEscapeHTML(false)
		for e := range events {
			if to.Encode(e) != nil || flush() != nil {
				return // nobody listens any more
			}
		}
	})
}

// ErrWatchCut is the end of a stream that the mount has not ended: its process has died.
var ErrWatchCut = errors.New("the mount's process has ended without a word")

// Watch gives each event of a mount to take, one JSON document without a line's end, until ctx or the mount ends, or take returns an error.
func (c *Client) Watch(ctx context.Context, r WatchRequest, take func(event []byte) error) error {
	q := url.Values{"path": {r.Path}, "prefix": {r.Prefix}}
	return c.send(ctx, http.MethodGet, "/watch", q, nil, func(body io.Reader) error {
		lines := bufio.NewScanner(body)
		lines.Buffer(nil, maxEvent)
		for lines.Scan() {
			if err := take(lines.Bytes()); err != nil {
				return err
			}
		}
		switch err := lines.Err(); {
		case err == nil, ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, io.ErrUnexpectedEOF):
			return ErrWatchCut
		default:
			return fmt.Errorf("control socket: %w", err)
		}
	})
}
