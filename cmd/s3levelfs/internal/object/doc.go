// Package object has the commands that work on objects without a mount, with the semantics of Amplify's Storage module: put, get,
// ls, rm, cp, mv, stat, cat, url and vault.
package object
