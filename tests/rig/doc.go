// Package rig runs the real program for tests: the binary built once, the
// embedded S3 as a server of its own, a proxy in front of it that counts,
// delays and cuts, and mounts in a private mount namespace.
//
// [Main] re-executes the test binary inside a new mount namespace, so that no
// mount can outlive it, and fails the run when one is left behind. A test that
// works in a mount must bound its waits: a daemon that hangs is killed by
// [Mount.Kill], which also wakes whoever waits in the mount.
package rig
