//go:build !nolocal

package local

import (
	"encoding/json"
	"fmt"
	"io"
)

// childEnv marks the process that is to be the server.
const (
	childEnv   = "S3LEVELFS_CHILD"
	childValue = "local"
	// replyFD is where the child writes its reply: the first of ExtraFiles.
	replyFD = 3
)

// order is what the parent writes to the child's standard input, which then stays
// open: its end is the end of the parent.
type order struct {
	Data     string      `json:"data"` // absolute
	Bucket   string      `json:"bucket"`
	Listen   string      `json:"listen"` // HOST:PORT or the path of a socket
	Socket   bool        `json:"socket"` // Listen is a path; its directory goes with the child
	Root     Credentials `json:"root"`
	Accounts []Account   `json:"accounts,omitempty"`
	Policy   string      `json:"policy,omitempty"`
}

// reply is the one line that the child answers when it serves, or can not.
type reply struct {
	Address string `json:"address,omitempty"` // HOST:PORT as bound
	Error   string `json:"error,omitempty"`
}

func readReply(r io.Reader) (reply, error) {
	var rep reply
	if err := json.NewDecoder(r).Decode(&rep); err != nil {
		return reply{}, fmt.Errorf("the server ended before it was ready: %w", err)
	}
	return rep, nil
}
