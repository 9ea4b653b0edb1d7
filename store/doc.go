// Package store is the contract between s3levelfs and an object store that
// speaks S3's semantics: types, interfaces, error kinds and the provider
// registry. It uses the standard library alone, so that providers can be
// written out of tree.
//
// Rules that every provider keeps and that package storetest asserts:
//
//   - An ETag is opaque and kept as the server sent it, quotes included. An
//     object may have none (""): then it can not be pinned by [Cond.IfMatch].
//   - Reads (Head, Get, List) are retried inside the provider, at most
//     the configured number of attempts in all. Writes (Put, Copy, Delete, DeleteMany and
//     everything of [Multipart]) are sent exactly once: the caller knows what a
//     repetition means and counts the attempts.
//   - A failed call returns a *[Error]. [Error.Unanswered] tells whether a write may
//     have been applied all the same.
//   - Bodies are *[io.SectionReader]: sized and seekable, read from their
//     start, never buffered whole in memory.
//   - A List error is an error: a provider never ends a listing early in silence.
package store
