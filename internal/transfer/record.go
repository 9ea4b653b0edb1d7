package transfer

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/store"
)

// recordVersion is that of the format of records: lines of JSON, the first an uploadHead, each further one a storedPart. The last
// may be torn. There is nothing secret in them.
const recordVersion = 1

// uploadHead is what an upload in parts is of.
type uploadHead struct {
	Version  int           `json:"version"`
	Scope    string        `json:"scope"`
	Key      string        `json:"key"`
	File     string        `json:"file"`
	ID       fileID        `json:"id"`
	Upload   string        `json:"upload"`
	Written  string        `json:"written"` // the object's uploader.WrittenBy
	PartSize int64         `json:"part_size"`
	Headers  store.Headers `json:"headers"`
}

// same: a put of b may go on with the upload a. floats: that they expire at different times does not count.
func (a uploadHead) same(b uploadHead, floats bool) bool {
	x, y := a.Headers.Clone(), b.Headers.Clone()
	if floats && x.Expires != "" && y.Expires != "" {
		x.Expires = y.Expires
	}
	x.Metadata, y.Metadata = others(a), others(b)
	return a.Version == b.Version && a.Scope == b.Scope && a.Key == b.Key && a.File == b.File && a.ID == b.ID &&
		a.PartSize == b.PartSize && a.Upload != "" && x.Equal(y)
}

// others is the metadata but for the id of the write, which differs each time.
func others(h uploadHead) map[string]string {
	m := map[string]string{}
	for name, value := range h.Headers.Metadata {
		if value != h.Written {
			m[name] = value
		}
	}
	return m
}

// storedPart is a part that the store has.
type storedPart struct {
	store.Part
	CRC uint32 `json:"crc32"` // of the file's bytes
}

// record is the file of an upload, held by a lock while one process works on it. Without a directory there is none.
type record struct{ file *os.File }

// openRecord opens the record of a put of a file to a key.
func openRecord(dir, scope, key, name string) (*record, error) {
	if dir == "" {
		return &record{}, nil
	}
	abs, err := filepath.Abs(name)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	id := sha256.Sum256([]byte(scope + "\x00" + key + "\x00" + abs))
	path := filepath.Join(dir, hex.EncodeToString(id[:16])+".put")
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return nil, err
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			_ = f.Close()
			if errors.Is(err, unix.EWOULDBLOCK) {
				return nil, fmt.Errorf("%s: the same put to key %q %w: wait for it, or end it", name, key, ErrBusy)
			}
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if isNamed(f, path) {
			return &record{f}, nil
		}
		_ = f.Close() // removed by who had it, between our open and our lock
	}
}

// isNamed tells whether a file still has its name.
func isNamed(f *os.File, path string) bool {
	own, err := f.Stat()
	named, namedErr := os.Stat(path)
	return err == nil && namedErr == nil && os.SameFile(own, named)
}

func (r *record) kept() bool { return r.file != nil }

// read gives what the last put has left.
func (r *record) read() (head uploadHead, parts []storedPart, ok bool) {
	if r.file == nil {
		return head, nil, false
	}
	info, err := r.file.Stat()
	if err != nil || info.Size() == 0 {
		return head, nil, false
	}
	data := make([]byte, info.Size())
	if _, err := r.file.ReadAt(data, 0); err != nil {
		return head, nil, false
	}
	whole := bytes.LastIndexByte(data, '\n') + 1 // behind it is a torn line, which the next one would be appended to
	if err := r.file.Truncate(int64(whole)); err != nil {
		return head, nil, false
	}
	lines := bufio.NewScanner(bytes.NewReader(data[:whole]))
	lines.Buffer(nil, len(data)+1)
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &head) != nil || head.Version != recordVersion {
		return uploadHead{}, nil, false
	}
	for lines.Scan() {
		var p storedPart
		if json.Unmarshal(lines.Bytes(), &p) == nil { // what is damaged is sent again
			parts = append(parts, p)
		}
	}
	return head, parts, true
}

// begin makes the record that of a new upload.
func (r *record) begin(h uploadHead) error {
	if r.file == nil {
		return nil
	}
	if err := r.file.Truncate(0); err != nil {
		return err
	}
	return r.write(h)
}

// add notes a part that is stored.
func (r *record) add(p storedPart) error {
	if r.file == nil {
		return nil
	}
	return r.write(p)
}

// write appends a line in one system call: a process that is killed leaves it whole or not at all.
func (r *record) write(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = r.file.Write(append(append([]byte{}, line...), '\n'))
	return err
}

// forget drops the record: the upload has ended.
func (r *record) forget() {
	if r.file != nil {
		_ = r.file.Truncate(0)
	}
}

// close lets others have it. A record that is empty is not left behind.
func (r *record) close() {
	if r.file == nil {
		return
	}
	if info, err := r.file.Stat(); err == nil && info.Size() == 0 {
		_ = os.Remove(r.file.Name())
	}
	_ = r.file.Close()
}
