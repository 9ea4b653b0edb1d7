package telemetry

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Spooler is a spool in somebody's hands: a running mount's, or one that was opened for it.
type Spooler interface {
	// SpoolList lists all that is pending and all that is kept.
	SpoolList(ctx context.Context) (SpoolList, error)
	// SpoolRetry lets what has failed at keys be tried at once, all of it without keys, and tells how much that is.
	SpoolRetry(ctx context.Context, keys []string) (int, error)
	// SpoolFile describes a generation that can be read.
	SpoolFile(ctx context.Context, generation string) (SpoolFile, error)
	// SpoolRead fills p with bytes at off that SpoolFile has listed as data.
	SpoolRead(ctx context.Context, generation string, p []byte, off int64) error
	// SpoolDiscard removes a kept generation for good.
	SpoolDiscard(ctx context.Context, generation string) error
}

// SpoolList is what a spool holds.
type SpoolList struct {
	Items []Item `json:"items"`
	Kept  []Kept `json:"kept"`
}

// Item is one change that is not in the bucket yet.
type Item struct {
	Key        string    `json:"key"`
	To         string    `json:"to,omitempty"`
	What       string    `json:"what"`
	State      string    `json:"state"`
	Generation string    `json:"generation,omitempty"`
	Size       int64     `json:"size"`
	Since      time.Time `json:"since,omitzero"`
	Attempts   int       `json:"attempts,omitempty"`
	NextTry    time.Time `json:"next_try,omitzero"`
	Error      string    `json:"error,omitempty"`
}

// Kept is content that is never uploaded by itself.
type Kept struct {
	Key        string    `json:"key"`
	Generation string    `json:"generation"`
	Size       int64     `json:"size"`
	Reason     string    `json:"reason"`        // quarantined, base-lost
	Why        string    `json:"why,omitempty"` // where that does not say it all
	Since      time.Time `json:"since,omitzero"`
}

// SpoolRange is a byte range of a file.
type SpoolRange struct {
	Offset int64 `json:"offset"`
	Length int64 `json:"length"`
}

// SpoolFile is one generation's bytes.
type SpoolFile struct {
	Generation string       `json:"generation"`
	Key        string       `json:"key"`
	Size       int64        `json:"size"`
	Ranges     []SpoolRange `json:"ranges"` // what is there of [0, Size)
	Data       []SpoolRange `json:"data"`   // what of that is not zeros
}

// MaxSpoolRead is how many bytes one SpoolRead of a socket may ask for.
const MaxSpoolRead = 4 << 20

// spoolRoutes are the socket's side of a Spooler.
func spoolRoutes(mux *http.ServeMux, s Spooler, answer func(http.ResponseWriter, any, error)) {
	id := func(r *http.Request) string { return r.URL.Query().Get("id") }
	mux.HandleFunc("GET /spool", func(w http.ResponseWriter, r *http.Request) {
		v, err := s.SpoolList(r.Context())
		answer(w, v, err)
	})
	mux.HandleFunc("GET /spool/file", func(w http.ResponseWriter, r *http.Request) {
		v, err := s.SpoolFile(r.Context(), id(r))
		answer(w, v, err)
	})
	mux.HandleFunc("POST /spool/retry", func(w http.ResponseWriter, r *http.Request) {
		var keys []string
		err := json.NewDecoder(r.Body).Decode(&keys)
		n := 0
		if err == nil {
			n, err = s.SpoolRetry(r.Context(), keys)
		}
		answer(w, n, err)
	})
	mux.HandleFunc("POST /spool/discard", func(w http.ResponseWriter, r *http.Request) {
		answer(w, struct{}{}, s.SpoolDiscard(r.Context(), id(r)))
	})
	mux.HandleFunc("GET /spool/read", func(w http.ResponseWriter, r *http.Request) {
		off, err := strconv.ParseInt(r.URL.Query().Get("off"), 10, 64)
		n, nerr := strconv.Atoi(r.URL.Query().Get("len"))
		if err != nil || nerr != nil || n < 0 || n > MaxSpoolRead {
			answer(w, nil, fmt.Errorf("read of %s: wrong range", id(r)))
			return
		}
		p := make([]byte, n)
		if err := s.SpoolRead(r.Context(), id(r), p, off); err != nil {
			answer(w, nil, err)
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", strconv.Itoa(n))
		_, _ = w.Write(p) //nolint:gosec // bytes for our own client, not for a browser; who asked sees a short answer
	})
}

// SpoolList implements Spooler.
func (c *Client) SpoolList(ctx context.Context) (l SpoolList, err error) {
	return l, c.call(ctx, http.MethodGet, "/spool", nil, &l)
}

// SpoolFile implements Spooler.
func (c *Client) SpoolFile(ctx context.Context, generation string) (f SpoolFile, err error) {
	return f, c.call(ctx, http.MethodGet, "/spool/file", url.Values{"id": {generation}}, &f)
}

// SpoolDiscard implements Spooler.
func (c *Client) SpoolDiscard(ctx context.Context, generation string) error {
	return c.call(ctx, http.MethodPost, "/spool/discard", url.Values{"id": {generation}}, &struct{}{})
}

// SpoolRetry implements Spooler.
func (c *Client) SpoolRetry(ctx context.Context, keys []string) (n int, err error) {
	return n, c.send(ctx, http.MethodPost, "/spool/retry", nil, keys, func(r io.Reader) error { return json.NewDecoder(r).Decode(&n) })
}

// SpoolRead implements Spooler.
func (c *Client) SpoolRead(ctx context.Context, generation string, p []byte, off int64) error {
	q := url.Values{"id": {generation}, "off": {strconv.FormatInt(off, 10)}, "len": {strconv.Itoa(len(p))}}
	return c.send(ctx, http.MethodGet, "/spool/read", q, nil, func(r io.Reader) error {
		_, err := io.ReadFull(r, p)
		return err
	})
}
