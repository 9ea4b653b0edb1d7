// Package backend opens what the commands work on: the identity, its rights and the store, as the settings have them.
package backend
