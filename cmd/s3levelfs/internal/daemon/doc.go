// Package daemon is the mount command: the process that serves one mount, from its start to the last upload, and the one that serves
// a mount of its own to each user.
package daemon
