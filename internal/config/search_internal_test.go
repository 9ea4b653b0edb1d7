package config

import (
	"io/fs"
	"syscall"
	"testing"
)

// owned is a file of somebody.
type owned struct {
	fs.FileInfo
	uid uint32
}

func (o owned) Sys() any { return &syscall.Stat_t{Uid: o.uid} }

// TestFilesOfOthersAreNotTrusted: what somebody else has left in a directory above must not say where files go and passwords.
func TestFilesOfOthersAreNotTrusted(t *testing.T) {
	for _, tt := range []struct {
		owner uint32
		uid   int
		want  bool
	}{{1000, 1000, false}, {0, 1000, false}, {0, 0, false}, {1001, 1000, true}, {1000, 0, true}} {
		if owner, got := foreign(owned{uid: tt.owner}, tt.uid); got != tt.want || owner != int(tt.owner) {
			t.Errorf("a file of %d for user %d: foreign is %v", tt.owner, tt.uid, got)
		}
	}
}
