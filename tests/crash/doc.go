// Package crash kills the daemon with SIGKILL at random moments of a mixed
// load of writes, mounts again and compares with a model of what was promised:
// a closed file is there, whole; a removed one stays removed; what was in the
// middle of an operation is as before it or as after it.
package crash
