package s3store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"
)

// errStalled ends an exchange in which nothing moves.
var errStalled = errors.New("no progress")

// limits are those of one kind of call.
type limits struct {
	header time.Duration // until the answer's headers, after the request's body
	stall  time.Duration // without a byte of the answer's body
}

// client is the SDK's HTTP client: a transport with a watchdog for each
// exchange. It follows no redirects, as signatures do not survive them.
type client struct {
	next   http.RoundTripper
	traced bool // next is net/http's: it reports connections to httptrace, and its buffers are of wireBuffer
	stall  time.Duration
}

func newClient(next http.RoundTripper, e endpoint, t Timeouts) *client {
	if next == nil {
		next = newTransport(e, t)
	}
	_, traced := next.(*http.Transport)
	return &client{next: next, traced: traced, stall: t.WriteStall}
}

func (c *client) closeIdle() {
	if t, ok := c.next.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// Do sends req. The watchdog is one timer: it is set again at each byte that
// moves, stopped while nobody waits for the network, and cancels the exchange
// when it fires.
func (c *client) Do(req *http.Request) (*http.Response, error) {
	call := callOf(req.Context())
	whole, err := c.whole(req)
	if err != nil {
		return nil, err // nothing was sent
	}
	ctx, cancel := context.WithCancelCause(req.Context())
	dog := &watchdog{ctx: ctx, cancel: cancel, limits: call.limits}
	first := call.limits.header
	streamed := hasBody(req) && whole == nil
	if streamed {
		first = max(first, c.stall)
	}
	dog.timer = time.AfterFunc(first, func() { cancel(errStalled) })
	if !c.traced {
		call.sent.Store(true)
	}
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { call.sent.Store(true) },
	})
	out := req.WithContext(ctx)
	switch {
	case whole != nil:
		out.Body = whole
	case streamed:
		out.Body = &sendBody{ReadCloser: req.Body, dog: dog, stall: c.stall}
	}
	resp, err := c.next.RoundTrip(out)
	if err != nil {
		err = dog.explain(err)
		dog.end()
		return nil, err
	}
	if resp.Body == http.NoBody {
		dog.end()
		return resp, nil
	}
	dog.answer()
	resp.Body = &receiveBody{ReadCloser: resp.Body, dog: dog}
	return resp, nil
}

func hasBody(req *http.Request) bool { return req.Body != nil && req.Body != http.NoBody }

// whole reads a body that fits a connection's buffer together with the request's head; nil = it is streamed. net/http takes a body
// of the standard library's readers in memory, and only such a one, along with the head, by one system call, which are two otherwise, here and at
// the server. There is nothing for the watchdog to see in it: all of it is in the buffer before the connection takes a byte.
func (c *client) whole(req *http.Request) (io.ReadCloser, error) {
	if !c.traced || !hasBody(req) || req.ContentLength <= 0 || req.ContentLength > wholeBody {
		return nil, nil
	}
	data := make([]byte, req.ContentLength) // not pooled: net/http may go on reading it after the answer
	if _, err := io.ReadFull(req.Body, data); err != nil {
		return nil, fmt.Errorf("body of %d bytes: %w", len(data), err)
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

// watchdog guards one exchange.
type watchdog struct {
	ctx    context.Context // the exchange's own
	cancel context.CancelCauseFunc
	limits limits

	mu       sync.Mutex
	timer    *time.Timer
	answered bool // headers came: bytes of the request's body count no more
	ended    bool
}

// sending notes that the connection took bytes, or (last) all of them.
func (d *watchdog) sending(next time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.answered && !d.ended {
		d.timer.Reset(next)
	}
}

// answer ends the phase before the answer's headers.
func (d *watchdog) answer() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answered = true
	d.timer.Stop()
}

// receiving arms the watchdog while a Read waits, and rests it in between.
func (d *watchdog) receiving(waiting bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.ended:
	case waiting:
		d.timer.Reset(d.limits.stall)
	default:
		d.timer.Stop()
	}
}

func (d *watchdog) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = true
	d.timer.Stop()
	d.cancel(nil)
}

// explain names the watchdog where it was the reason of err.
func (d *watchdog) explain(err error) error {
	if errors.Is(context.Cause(d.ctx), errStalled) {
		return fmt.Errorf("%w: %w", errStalled, err)
	}
	return err
}

// sendBody feeds the watchdog while the connection takes bytes.
type sendBody struct {
	io.ReadCloser
	dog   *watchdog
	stall time.Duration
}

func (b *sendBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == nil {
		b.dog.sending(b.stall)
	} else {
		b.dog.sending(b.dog.limits.header)
	}
	return n, err
}

// receiveBody arms the watchdog while a Read waits for bytes.
type receiveBody struct {
	io.ReadCloser
	dog *watchdog
}

func (b *receiveBody) Read(p []byte) (int, error) {
	b.dog.receiving(true)
	n, err := b.ReadCloser.Read(p)
	b.dog.receiving(false)
	if err != nil && !errors.Is(err, io.EOF) {
		err = b.dog.explain(err)
	}
	return n, err
}

func (b *receiveBody) Close() error {
	err := b.ReadCloser.Close()
	b.dog.end()
	return err
}
