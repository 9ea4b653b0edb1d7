// Package memstore is a strict object store in memory, for tests: what Amazon
// S3 refuses it refuses, and a request that S3 would count it counts.
//
// It owns the bytes and the log of requests of one bucket; nothing of it
// outlives the process. It starts no goroutine, does no I/O and takes its time
// from the time package, so that it works in a testing/synctest bubble.
//
// What it does as S3 does, and a caller may stumble over:
//
//   - Keys are any bytes (1 to Limits.MaxKey), ordered by bytes; "a", "a/" and
//     "a/b" live side by side.
//   - LastModified has whole seconds. That of a multipart object is the time when
//     the upload was created, not completed.
//   - If-Match on an absent key is 404 NoSuchKey ([store.ErrNotExist]), not 412.
//     Delete with If-Match of an absent key succeeds, as on versitygw.
//   - Cond.IfUnmodifiedSince is known to reads only, and Delete has no
//     IfNoneMatch: 501 NotImplemented ([store.ErrInvalid]).
//   - ETags are the quoted MD5 of the bytes, for multipart objects "<md5 of the
//     parts' md5s>-<parts>"; Copy always makes a single-part object.
//   - Copying an object onto itself without new headers is refused.
//   - An object without a Content-Type is given binary/octet-stream.
//   - Put and Complete do not tell LastModified; Copy does.
//   - Completing twice with the same parts answers the first result again and
//     changes nothing, whatever the condition (Config.ForgetCompleted: NoSuchUpload).
//   - A body's Read returns at most 16 KiB, as a network does.
//
// Locks: Store.mu alone, a leaf. Hooks of the Config are called without it.
package memstore
