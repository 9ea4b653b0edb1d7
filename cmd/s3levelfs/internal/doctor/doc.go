// Package doctor is the doctor command: what is wrong with a machine or a set-up, and how to mend it.
package doctor
