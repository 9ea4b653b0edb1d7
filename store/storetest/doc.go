// Package storetest is the conformance suite of store.Store: [Test] asserts what
// the doc comments of package store promise, on any provider. [Counting] is a
// decorator that counts calls and those in flight.
//
// What a server can not do is told by [Features]; the suite then asserts that the
// server behaves as the feature's comment says, so that a server which learns it
// fails the suite and the documentation follows.
//
// All keys lie below a fresh prefix, which is emptied at the end: the suite can
// run on a bucket that holds other things. It takes up to about 1,100 objects and
// six parts of Limits.MinPart at a time.
package storetest
