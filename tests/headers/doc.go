// Package headers tests that what an object's headers say is kept by everything that a program does to its file.
package headers
