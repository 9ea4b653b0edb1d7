// Package uploader carries local changes into one bucket: generations of files
// become objects, removals and renames become requests, in an order that loses
// nothing. docs/UPLOADER.md is its specification; the words used here are
// those of its terms.
//
// # What it owns
//
// The overlay (what is pending at which key), the order of operations on a key, the requests that write, their
// repetition and the meaning of their answers, conflicts, and the right to write below each level's prefix. It does
// not own the bytes (package spool does), listings or reads (vfs and cache do), or paths and policy (levels).
//
// # How it works
//
// The namespace log is a list of records, each the absolute state of one operation or its end. The state
// is their fold; [fold.apply] is the only function that changes it, for live operation and for replay. Records that
// belong together are appended with one write and carry a flag that says that more follows: a transaction whose end
// is missing never happened.
//
// An operation (put a generation, delete, move, make a marker, change headers) holds a place in the queue of each key
// that it touches and runs when it is at the head of all of them, its time has come and nothing holds it:
//
//	key a:  put(g1) ─ delete(after g2)          rename a → b while g1 was being sent:
//	key b:  put(g2)                             g2 has g1's bytes; a is deleted once g2 is committed
//
// What an operation leaves at a key is the base, the condition, of the next one. Nothing else orders requests.
//
// A large file goes in parts, and those that its writer has passed leave while it is still being written: see stream.go and
// track.go. What the log tells of an upload belongs to its operation and ends with it. Parts that a change leaves alone are copied
// by the store: see pincopy.go.
//
// Goroutines: the dispatcher starts operations, each on a goroutine of its own, at most twice the number of requests;
// each open file whose parts are being sent has one; the syncer gives spool space back; one goroutine tells events.
// Close ends and awaits them.
//
// # Locks
//
// Uploader.mu guards all state. spool.Content's locks and the log's are taken under it (an append, the reading of an
// extent map), eventQueue.mu, tracker.mu and window.mu too; it is never held over a call into the store, a sync, a base read, or a caller's
// function other than Config.Stamp.
//
// # Invariants
//
// I1 to I10 of docs/UPLOADER.md. Besides:
//
//   - A generation's bytes are removed only after a group sync that began when nothing needed them any more. Where
//     the store has a sync of its own, that comes before the record of what it has done.
//   - A File's top generation is the last Put of its file in the queue of its key, or was committed last.
package uploader
