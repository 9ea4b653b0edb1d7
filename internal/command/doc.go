// Package command runs programs that the user has named in a setting: it splits such a setting into words, and runs a program in a
// process group of its own, which ends with its time.
package command
