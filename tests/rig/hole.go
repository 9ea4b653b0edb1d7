package rig

import (
	"net"
	"sync"
)

// hole swallows what goes over connections, in both directions, while it is open: nothing is refused, nothing arrives.
// What was swallowed arrives when it closes, as TCP sends it again.
type hole struct {
	mu     sync.Mutex
	closed chan struct{} // closed when the hole is; nil = there is none
}

// SetBlackHole opens or closes the black hole between the clients and the proxy.
func (p *Proxy) SetBlackHole(open bool) {
	h := &p.hole
	h.mu.Lock()
	defer h.mu.Unlock()
	if open == (h.closed != nil) {
		return
	}
	if open {
		h.closed = make(chan struct{})
		return
	}
	close(h.closed)
	h.closed = nil
}

// pass waits while the hole is open; it gives up when the connection is closed.
func (h *hole) pass(gone <-chan struct{}) error {
	h.mu.Lock()
	closed := h.closed
	h.mu.Unlock()
	if closed == nil {
		return nil
	}
	select {
	case <-closed:
		return nil
	case <-gone:
		return net.ErrClosed
	}
}

type holeListener struct {
	net.Listener

	hole *hole
}

func (l holeListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &holeConn{Conn: conn, hole: l.hole, gone: make(chan struct{})}, nil
}

type holeConn struct {
	net.Conn

	hole *hole
	once sync.Once
	gone chan struct{}
}

func (c *holeConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if perr := c.hole.pass(c.gone); perr != nil {
		return 0, perr
	}
	return n, err
}

func (c *holeConn) Write(p []byte) (int, error) {
	if err := c.hole.pass(c.gone); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

func (c *holeConn) Close() error {
	c.once.Do(func() { close(c.gone) })
	return c.Conn.Close()
}

// SetLinger is *net.TCPConn's.
func (c *holeConn) SetLinger(sec int) error {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		return tcp.SetLinger(sec)
	}
	return nil
}
