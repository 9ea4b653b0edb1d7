// Package control is what commands and running mounts say to each other: how a mount is found, what it tells of itself, and the
// commands that ask it: status, sync, umount, explain and spool.
package control
