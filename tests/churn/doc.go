// Package churn tests reads through the real program and a real mount: while the objects change behind its back, by programs that read
// many files, and for a long time. It has no code but tests.
package churn
