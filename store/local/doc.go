// Package local is the embedded S3 server: versitygw over plain files, in a child
// process that is this very program executed again (versitygw changes the
// directory of its process and allows one instance in each).
//
// The data directory holds the objects as files under <bucket>/<key>, their
// headers in extended attributes (in files under .s3levelfs/meta where the
// filesystem has none), and in .s3levelfs/ what belongs to the server: lock,
// identity, credentials of the stand-alone server.
//
// It owns the child: its start and readiness, its credentials (random, handed
// over through a pipe, never in arguments or environment), its end with the
// parent (end of the pipe, and a death signal), its lock on the directory. It
// does not own the S3 client, which is package s3store's.
//
// Every program that uses the package calls [MaybeRunChild] first in main, and
// TestMain does so in tests.
//
// The server never syncs what it writes: [Store] implements store.Syncer by
// syncfs(2), and a file may leave a spool only after that.
//
// Files that were put into the data directory by hand are objects like others; see
// the attributes' comment for their ETags.
//
// What the server can not hold: a key beside keys below it ("a" and "a/b"), names
// with control characters or invalid UTF-8 ("docs/UPLOADER.md" has the list).
//
// With the build tag nolocal the server is left out of the binary, and opening
// fails saying so.
package local
