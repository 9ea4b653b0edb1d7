//go:build !nolocal

package local

import (
	"net"
	"net/netip"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// boundAddress tells where the server listens. versitygw binds by itself and does
// not say which port it got for port 0, so the process looks at its own sockets.
func boundAddress(o order) string {
	if o.Socket {
		return o.Listen
	}
	want, err := netip.ParseAddrPort(o.Listen)
	if err != nil || want.Port() != 0 {
		return o.Listen
	}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return o.Listen
	}
	for _, e := range fds {
		fd, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil || on == 0 {
			continue
		}
		if at, ok := localAddress(fd); ok && at.Addr() == want.Addr() {
			return net.JoinHostPort(at.Addr().String(), strconv.Itoa(int(at.Port())))
		}
	}
	return o.Listen
}

func localAddress(fd int) (netip.AddrPort, bool) {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return netip.AddrPort{}, false
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)), true
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port)), true
	}
	return netip.AddrPort{}, false
}
