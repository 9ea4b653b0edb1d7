package local

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"
)

// ownDir is the server's own directory in the data directory. Its name can be no
// bucket's.
const ownDir = ".s3levelfs"

// Identity is the stable identity id of the user of a data directory, in Cognito's
// form "us-east-1:<uuid>". It is made and kept at the first call.
func Identity(data string) (string, error) {
	id, err := keep(data, "identity", func() ([]byte, error) {
		return []byte(Region + ":" + newUUID() + "\n"), nil
	})
	if err != nil {
		return "", fmt.Errorf("identity of %s: %w", data, err)
	}
	return strings.TrimSpace(string(id)), nil
}

// StableCredentials are the root credentials of a server whose
// Config.StableCredentials is set. They are made and kept at the first call.
func StableCredentials(data string) (Credentials, error) {
	var c Credentials
	text, err := keep(data, "credentials", func() ([]byte, error) {
		return json.Marshal(newCredentials()) //nolint:gosec // G117: into a 0600 file, which is their purpose
	})
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	if err == nil && (c.Access == "" || c.Secret == "") {
		err = errors.New("the file has no credentials: remove it to have new ones")
	}
	if err != nil {
		return Credentials{}, fmt.Errorf("credentials of %s: %w", data, err)
	}
	return c, nil
}

// keep reads a file of the server's own directory, and makes it if it is missing
// or empty.
func keep(data, name string, fresh func() ([]byte, error)) ([]byte, error) {
	if err := makeOwnDir(data); err != nil {
		return nil, err
	}
	path := filepath.Join(data, ownDir, name)
	old, err := os.ReadFile(path)
	if err == nil && len(old) > 0 {
		return old, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	text, err := fresh()
	if err != nil {
		return nil, err
	}
	if err := renameio.WriteFile(path, text, 0o600); err != nil {
		return nil, err
	}
	return text, nil
}

// makeOwnDir makes the data directory, private, and the server's own in it. The
// parent must exist: a mistyped path shall not grow a tree.
func makeOwnDir(data string) error {
	for _, dir := range []string{data, filepath.Join(data, ownDir)} {
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return dataError(data, err)
		}
	}
	if fi, err := os.Stat(data); err != nil {
		return dataError(data, err)
	} else if !fi.IsDir() {
		return fmt.Errorf("data directory %s: is not a directory", data)
	}
	return nil
}

// dataError names the data directory and what is wrong with it, in one line.
func dataError(data string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("data directory %s: its parent directory does not exist: %w", data, fs.ErrNotExist)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("data directory %s: not writable by this user: %w", data, fs.ErrPermission)
	}
	return fmt.Errorf("data directory %s: %w", data, err)
}

// newUUID is a random UUID (RFC 9562, version 4).
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
