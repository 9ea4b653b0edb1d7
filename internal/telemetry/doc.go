// Package telemetry is how a running mount can be seen and spoken to: its log,
// its control socket (HTTP with JSON over a unix socket, 0600) and the registry
// of running mounts that lets `status`, `sync` and `umount` find the socket.
//
// It knows nothing of what stands behind: the command that runs the mount
// implements [Controller].
package telemetry
