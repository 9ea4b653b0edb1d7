// Package cmdline is what all commands share: options made of the table of settings, exit codes, the form of what they print.
package cmdline
