// Package levels is the access model of the mount: which path is which key,
// for whom, and what may be done with it. It is pure: no clock, no network, no
// file system; a [Policy] never changes after [New] and is safe for concurrent
// use.
//
// It owns the layout (public, protected/<id>, protected/me, private, uploads),
// the paths of an app that has others, the grants, the names of keys ([Escape]) and the mode bits ([ModeOf]). It does
// not own what exists: that an object or a directory is there is vfs's to know.
//
// # Layout
//
// Prefixes are Amplify's (Storage guide v1, customPrefix): not set means the
// default, else they are used verbatim, and for protected and private
// "<identity id>/" follows. An empty string is honoured, a missing slash is not
// added.
//
// A key belongs to the level whose configured prefix is the longest one that it
// begins with, so that the empty prefix and nested prefixes keep every key in
// one place: with an empty public prefix, "private/x/y" is still private's.
// Within private's prefix only the own identity's keys have a path; what lies
// there otherwise is somebody else's, and no path names it. An entry whose key
// and whose directory ("key/") belong to different levels has no path either.
// New refuses equal prefixes and prefixes that could begin somebody's private
// one.
//
// A directory that holds the prefix of another level (only possible with custom
// prefixes) is listed and walked with keys that are not the directory's:
// whoever walks keys drops those that [Policy.PathOf] does not give a path
// within the directory.
//
// # Paths
//
// An Amplify Gen 2 app has no levels, only paths with access rules ([Options.Paths]).
// Each path becomes the directory of its name, nested ones below their parents; what only leads to one
// is a directory, too. A path with an identity shows all identities, with the own
// directory and the symlink to it, where this identity may do anything in other people's;
// else it is the own directory itself. So the levels, written as paths
// (public/*, protected/{entity_id}/*, private/{entity_id}/*, uploads/*), make the same mount.
// A path that grants an identity nothing is not there.
//
// Rights are what IAM makes of the policies that Amplify's set-up writes: what a rule allows
// on a path holds below it, but a path takes back what its parent allows and it does not
// repeat; an identity's path takes nothing back of that of all identities. One role is in force:
// that of guests, that of all who are signed in (with entityidentity's rules), or for
// a member of a group the group's alone. Cognito gives such a user the group's role in place of the other,
// so rules for authenticated and entityidentity are not trusted then, own directories included. Who
// gives the group roles those rights, too, may say so for reading ([Options.MergeGroups]): a read that
// the server refuses after all is an error at once, but a right to change
// that is not there would be found out when bytes are on their way.
//
// # Names
//
// Path elements ("names") and key elements (what stands between slashes) are
// the same bytes but for what one side can not carry. The introducer is U+201B,
// here written ‛:
//
//	name                              key element
//	byte that no key carries          ‛ + two lower-case digits    typed \x01 is stored as ‛01
//	‛ + two upper-case digits         byte that no key carries     made by others; shown, never made here
//	‛2F                               (empty)                      a//b is a/‛2F/b
//	‛2E, ‛2E‛2E                       ., ..
//	a‛                                a, as a file beside a directory of that name
//
// Bytes that no key carries are 0x01-0x1f but tab and newline, 0x7f, and what
// is not valid UTF-8: S3 answers listings in XML, which has no way to write
// them. (Some stores carry them all the same; then they are shown. So is 0x00.)
//
// A literal ‛ stands for itself but where it would be read as an introducer:
// a run of ‛ in front of two digits of such a byte (upper case in a name, lower
// case in a key), or at the end of a name, is written doubled. There the pairs
// are literal and an odd one out is the introducer. One rule with two sets of
// digits, and each side's strings are parsed in exactly one way. The three
// names of elements that consist of an escape alone take one more ‛ instead
// (the element ‛2E has the name ‛‛2E, ‛‛2E has ‛‛‛2E).
//
// What is left is invalid UTF-8 whose bytes, once unescaped, join to a valid
// character: the element ‛c3‛a9 can not have the name é, which is é's. Such a
// key, which this program never writes, has each ‛ shown as ‛E2‛80‛9B. A name
// that is not the name of the key which it denotes is refused by [Unescape];
// only names with upper-case escapes can be. So, for every key element e,
//
//	Unescape(Escape(e)) == e
//
// and for every name n that Unescape takes, Escape(Unescape(n)) == n (n‛ for
// the file beside a directory). %2F and %20 are ordinary text.
//
// A name with an upper-case escape or the final ‛ denotes what other programs
// made ([Target.Foreign]): it is read, changed and removed as any other, but a
// create, mkdir or rename must not bring it into being, since no such key should
// ever come from here.
//
// An element of a path is at most [MaxName] bytes, a key at most [MaxKey];
// keys whose names are longer have no path. A name of 255 bytes may need a key
// element that is longer than 255.
package levels
