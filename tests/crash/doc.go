// Package crash kills the daemon with SIGKILL at chosen moments of a mixed load of changes, mounts again and compares with
// a model of what was promised: a closed file is there, whole; a removed one stays removed; a renamed one has one
// name; what was in the middle of an operation is as before it or as after it.
package crash
