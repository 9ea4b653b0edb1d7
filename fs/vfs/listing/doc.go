// Package listing is the index of remote directories: what the store's
// listings say is in a directory, kept for a time to live, corrected by what this
// mount changed since. It needs nothing but LIST, because AWS answers HEAD and
// GET of an absent key with 403 where the caller may list only by prefix:
// absence is proved by a listing or not at all.
//
// It does not own what is pending (the uploader's overlay), attributes
// (package attrs), names or rights (package levels): it speaks of key prefixes
// and key elements. A directory is a key prefix that ends in a slash, or a
// level's prefix, verbatim.
//
// # How a name is looked up
//
// The first lookup in an unseen directory takes one page of it, with the
// delimiter. If that is all of it, it answers for every sibling, the absent ones
// too. If not, the name alone is listed: one page of "dir/name" with the
// delimiter shows the object, which sorts first, and the directory, which sorts
// behind siblings such as "name-1" and "name.txt"; only if more of those exist
// than fit on the page is "dir/name/" asked for as well. Hence at most two
// requests an unseen directory.
// Many such lookups in one directory pay for listing it whole (see effort).
//
// # Large directories
//
// Open gives the entries as they come; ReadDir collects them. One listing of a directory runs at a time (see scan), which its
// readers follow, and which ends with the last of them. On a distant store what is left is split at guessed names, and the parts
// are listed at once, as many as pay. Names that it has passed are answered for before it ends.
//
// # Walks
//
// A ReadDir of the first directory in one that was just read, or of several in a row, is a walk (find, cp -r, ls -R). It is
// answered by a flat listing of the one above, from the directory asked for on: a request that costs no more than listing that
// directory, and shows the next ones too. The listing goes on as the walk does: each directory read allows some pages ahead, so
// that a walk that stops costs a few. Each directory is entered as soon as its last key is passed. On a distant store what is left
// is shared among several listings, as many as leave each some whole pages.
//
// # Memory
//
// What a listing showed is kept packed (see table), at 30 to 50 bytes an entry; what this mount changed since lies over it.
//
// # Local changes
//
// A listing shows the bucket at some time after its begin. Each local change
// gets a sequence number, each listing remembers the number at its begin, and
// when it ends the changes since are applied to it again: a listing that began
// before a change can not undo it. Changes are kept only while a listing
// runs that began before them. One that began after a change knows better.
//
// A directory that exists only through the objects below it stays when the last
// of them is removed here, until DirRemoved: POSIX programs do not expect a
// directory to vanish. If others remove them it goes.
//
// # Failures
//
// A failed listing is an error, never an absent name or an empty directory.
// While the store as a whole is down (every listing fails with ErrTransient, or
// because the credentials are not valid, for more than a second) complete listings are served past their time, marked
// stale; a background probe, one at a time, finds the end of it.
//
// # Locks
//
// Index.mu guards everything and is a leaf: it is never held over a call
// into the store. Listings run in goroutines of their own on the Index's
// context (singleflight), so that a caller that goes away harms no other;
// Close ends them and waits.
//
// # Invariants
//
//   - A nil result of Lookup without an error was proved by a listing that began
//     less than TTL ago, by a local change, or (Stale) before the outage.
//   - What the cache holds is bounded by Config.MaxEntries and MaxBytes, whatever the sizes of
//     directories; a directory that is larger is listed anew each time.
//   - A flat listing has the prefix of a directory that was listed before, so
//     no listing leaves the prefixes that callers ask for.
package listing
