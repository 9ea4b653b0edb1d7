// Package faults takes the server away, denies, breaks and overtakes it while
// programs work in a mount: nothing is lost, nothing hangs, no error is hidden
// and no two versions are mixed.
package faults
