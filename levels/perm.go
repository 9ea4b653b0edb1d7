package levels

import (
	"fmt"
	"strings"
)

// Perm is a set of the four things a role can be granted. All 16 sets are
// meaningful.
type Perm uint8

// The grants, by the S3 actions that they stand for ("Manual setup: IAM policies").
const (
	List   Perm = 1 << iota // s3:ListBucket with the level's prefix
	Get                     // s3:GetObject
	Put                     // s3:PutObject: create and overwrite alike
	Delete                  // s3:DeleteObject

	None Perm = 0
	All       = List | Get | Put | Delete
)

// permNames is in the order of the bits.
func permNames() [4]string { return [4]string{"list", "get", "put", "delete"} }

// Has reports whether all of want is granted.
func (p Perm) Has(want Perm) bool { return p&want == want }

// Any reports whether at least one of want is granted.
func (p Perm) Any(want Perm) bool { return p&want != 0 }

// String is the set as ParsePerm reads it: "list,get", or "none".
func (p Perm) String() string {
	if p&All == None {
		return "none"
	}
	var names []string
	for i, name := range permNames() {
		if p.Has(1 << i) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}

// ParsePerm reads a comma-separated set of list, get, put and delete; "none",
// "all", and Amplify's words "read" (list and get) and "write" (put) are known
// too. Source of the words: amplify-backend, storage access rules.
func ParsePerm(s string) (Perm, error) {
	var p Perm
	for word := range strings.SplitSeq(s, ",") {
		switch strings.TrimSpace(word) {
		case "", "none":
		case "all":
			p |= All
		case "read":
			p |= List | Get
		case "list":
			p |= List
		case "get":
			p |= Get
		case "put", "write":
			p |= Put
		case "delete":
			p |= Delete
		default:
			return None, fmt.Errorf("grant %q is not known: use list, get, put, delete, read, write, all or none", word)
		}
	}
	return p, nil
}

// Level is a place with grants of its own.
type Level uint8

// The levels. Protected is the directory of identities; the two others are
// what lies below it, apart because their grants differ.
const (
	Root Level = iota
	Public
	Protected
	ProtectedOwn
	ProtectedOther
	Private
	Uploads
	Group // of an app with path rules: a path that only groups have rules for
)

// Own reports whether only the identity itself writes there, so that nobody
// else's changes have to be looked for.
func (l Level) Own() bool { return l == Private || l == ProtectedOwn }

// String is the name of the level's directory in the mount ("" for the root,
// "protected" for all three of them).
func (l Level) String() string {
	switch l {
	case Public:
		return "public"
	case Protected, ProtectedOwn, ProtectedOther:
		return "protected"
	case Private:
		return "private"
	case Uploads:
		return "uploads"
	case Group:
		return "group"
	case Root:
	}
	return ""
}

// DefaultGrants are those of the role policies in Amplify's Storage guide
// ("Manual setup: IAM policies"): Auth_Role where authenticated, else Unauth_Role. A
// guest writes in public and uploads alone, not even under its own id.
func DefaultGrants(authenticated bool) map[Level]Perm {
	g := map[Level]Perm{
		Public:         All,
		Protected:      List,
		ProtectedOwn:   List | Get,
		ProtectedOther: List | Get,
		Private:        None,
		Uploads:        Put,
	}
	if authenticated {
		g[ProtectedOwn], g[Private] = All, All
	}
	return g
}

// ModeOf gives the permission bits (no file type) that say what the grants
// allow at a level: public 0777/0666, the own protected directory 0755/0644,
// private 0700/0600, others' protected 0555/0444, uploads 0300/0200, the root
// 0555, each less what is not granted.
//
// The owner's bits are the grants: read is Get for a file and List for a
// directory, write is Put for a file and Put or Delete for a directory (each
// changes the entries), search is any grant at all, since a known name can then
// be tried. Group and others see what the level means to other people: the same
// in public and in others' directories, no write in the own protected one,
// nothing in private, uploads and what is a group's.
func ModeOf(level Level, grants Perm, dir bool) uint32 {
	var own uint32
	if dir {
		own = bit(grants.Has(List), 4) | bit(grants.Any(Put|Delete), 2) | bit(grants != None, 1)
	} else {
		own = bit(grants.Has(Get), 4) | bit(grants.Has(Put), 2)
	}
	rest := own
	switch level {
	case Private, Uploads, Group:
		rest = 0
	case ProtectedOwn:
		rest &^= 2
	case Root, Protected:
		own &^= 2
		rest = own
	case Public, ProtectedOther:
	}
	return own<<6 | rest<<3 | rest
}

func bit(set bool, b uint32) uint32 {
	if set {
		return b
	}
	return 0
}
