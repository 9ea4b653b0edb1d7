// Package attrs holds what the headers of objects say about files: the codec
// between x-amz-meta-* headers and POSIX attributes, and an index of the headers
// that are known, so that each is asked for once.
//
// # Codec
//
// [Decode] reads, [Posix.Encode] writes. Names and values are those of s3fs and
// rclone, so that both read what is written here:
//
//	mode   decimal st_mode, type bits included (s3fs); octal is read too (rclone --metadata)
//	uid    decimal
//	gid    decimal
//	mtime  decimal Unix seconds, with exactly nine decimals where there is a
//	       fraction: s3fs takes the digits behind the dot for nanoseconds,
//	       rclone for a fraction, and with nine digits both mean the same
//	atime, ctime  as mtime (s3fs)
//	--symlink-target  target of a symbolic link, escaped (geesefs); the object is
//	       empty, so that a listing already tells the few objects that may be one
//
// Read besides: AWS's file-permissions, file-owner, file-group, file-mtime and
// file-atime (FSx for Lustre, File Cache, DataSync) and Google's
// goog-reserved-posix-*. Where an object carries them they are kept in step.
// A link of s3fs or AWS has its target as its body: [Posix.LinkInBody].
//
// Extended attributes: user.NAME is x-amz-meta-NAME, one header each, so that
// Amplify apps and the mount see each other's. Names and values that no header
// can carry are escaped by %XX (geesefs reads the same); names that would be
// taken for one of the above are escaped too. The header "xattr" of s3fs is read.
// user.meta.NAME is the header x-amz-meta-NAME with its value as it is: another way to
// read and write the same, listed only where user.NAME would mean something else.
//
// # Index
//
// [Index] knows the headers of objects by (key, ETag, size, Last-Modified in
// seconds). In the identity's own prefixes an entry holds for good and is kept on disk;
// elsewhere it expires after Config.AttrTTL, because a change of
// metadata alone may keep all four. Empty objects share one ETag: theirs expire
// after Config.MetadataTTL everywhere. An expired entry is still told, as not
// fresh.
//
// # Locks and goroutines
//
// Index.mu guards the table and is held for map operations only, never over a store
// call nor over a file operation. Goroutines: one writer of the file, and one for
// each HEAD in flight; Close waits for all of them.
package attrs
