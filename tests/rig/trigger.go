package rig

import (
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// Class is the kind of a request that changes something; the others have none.
type Class string

// The classes of requests.
const (
	Put        Class = "Put"
	Create     Class = "CreateMultipartUpload"
	Part       Class = "UploadPart"
	PartCopy   Class = "UploadPartCopy"
	Complete   Class = "Complete"
	Copy       Class = "Copy"
	Delete     Class = "Delete"
	DeleteMany Class = "DeleteObjects"
)

// ClassOf tells a request's class, "" if it has none.
func ClassOf(r *http.Request) Class {
	q := r.URL.Query()
	copied := r.Header.Get("X-Amz-Copy-Source") != ""
	switch {
	case r.Method == http.MethodPut && q.Has("partNumber") && copied:
		return PartCopy
	case r.Method == http.MethodPut && q.Has("partNumber"):
		return Part
	case r.Method == http.MethodPut && copied:
		return Copy
	case r.Method == http.MethodPut:
		return Put
	case r.Method == http.MethodPost && q.Has("uploads"):
		return Create
	case r.Method == http.MethodPost && q.Has("uploadId"):
		return Complete
	case r.Method == http.MethodPost && q.Has("delete"):
		return DeleteMany
	case r.Method == http.MethodDelete && !q.Has("uploadId"):
		return Delete
	}
	return ""
}

// Point is where in its life a request is caught.
type Point int

// The points of a request's life.
const (
	Halfway    Point = iota + 1 // half of its body has come; the server gets no more of it
	Unsent                      // all of it has come, the server hears nothing of it
	Unanswered                  // the server has acted, nobody is told
)

// String names the point.
func (p Point) String() string {
	return [...]string{"", "halfway", "before the server", "before the answer"}[p]
}

// Trap catches the first request that fits and holds it at a point until it is opened; then the request ends without an answer.
type Trap struct {
	point  Point
	fits   func(Class, *http.Request) bool
	once   sync.Once
	caught chan struct{}
	open   chan struct{}
}

// Caught is closed when a request is held.
func (t *Trap) Caught() <-chan struct{} { return t.caught }

// triggers watches the requests of a Proxy.
type triggers struct {
	mu     sync.Mutex
	trap   *Trap
	flying map[Class]int
	begun  map[string]int // uploads, by path
}

// SetTrap lays a trap for the first request from now on that fits. There is one at a time.
func (p *Proxy) SetTrap(t *testing.T, point Point, fits func(Class, *http.Request) bool) *Trap {
	t.Helper()
	g := &p.triggers
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.trap != nil {
		t.Fatal("there is a trap already")
	}
	g.trap = &Trap{point: point, fits: fits, caught: make(chan struct{}), open: make(chan struct{})}
	return g.trap
}

// OpenTrap takes the trap away and lets what is in it end.
func (p *Proxy) OpenTrap() {
	g := &p.triggers
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.trap != nil {
		close(g.trap.open)
		g.trap = nil
	}
}

// Flying counts the requests that have come and have no answer yet.
func (p *Proxy) Flying() map[Class]int {
	p.triggers.mu.Lock()
	defer p.triggers.mu.Unlock()
	return maps.Clone(p.triggers.flying)
}

// Begun counts the uploads, of whole objects and in parts, that have ever begun of a path (with the bucket).
func (p *Proxy) Begun(path string) int {
	p.triggers.mu.Lock()
	defer p.triggers.mu.Unlock()
	return p.triggers.begun[path]
}

// begin notes a request and gives the trap that it goes into.
func (g *triggers) begin(class Class, r *http.Request) *Trap {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.flying == nil {
		g.flying, g.begun = map[Class]int{}, map[string]int{}
	}
	g.flying[class]++
	if class == Put || class == Create {
		g.begun[r.URL.Path]++
	}
	t := g.trap
	if t == nil || class == "" || strings.Contains(r.URL.Path, "/.s3levelfs-probe-") || !t.fits(class, r) {
		return nil
	}
	select {
	case <-t.caught:
		return nil
	default:
	}
	if t.point == Halfway && r.ContentLength <= 1 {
		return nil // there is no half of it
	}
	return t
}

func (g *triggers) end(class Class) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.flying[class]--
}

// watch passes requests on to next, but those that go into a trap.
func (g *triggers) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		class := ClassOf(r)
		trap := g.begin(class, r)
		defer g.end(class)
		if trap == nil {
			next.ServeHTTP(w, r)
			return
		}
		switch trap.point {
		case Halfway:
			r.Body = &half{ReadCloser: r.Body, left: r.ContentLength / 2, trap: trap}
			next.ServeHTTP(w, r)
		case Unanswered:
			next.ServeHTTP(nobody{}, r)
			trap.hold()
		default:
			_, _ = io.Copy(io.Discard, r.Body) // one that has not come whole is no worse
			trap.hold()
		}
		panic(http.ErrAbortHandler)
	})
}

// hold keeps the caller until the trap is opened. Of several that fit at the same moment all are held.
func (t *Trap) hold() {
	t.once.Do(func() { close(t.caught) })
	<-t.open
}

// half gives the first half of a body and is caught then.
type half struct {
	io.ReadCloser
	left int64
	trap *Trap
}

func (h *half) Read(p []byte) (int, error) {
	if h.left == 0 {
		h.trap.hold()
		return 0, io.ErrUnexpectedEOF
	}
	n, err := h.ReadCloser.Read(p[:min(int64(len(p)), h.left)])
	h.left -= int64(n)
	return n, err
}

// nobody takes an answer that is not passed on.
type nobody struct{}

func (nobody) Header() http.Header         { return http.Header{} }
func (nobody) Write(p []byte) (int, error) { return len(p), nil }
func (nobody) WriteHeader(int)             {}
