package spool

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"

	"github.com/s3levelfs/s3levelfs/internal/frame"
)

// ownerFormat is the version of the directory's layout, in spool.json.
const ownerFormat = 1

// Open opens or makes the spool in c.Dir and recovers what it holds.
// Errors: *ErrLocked, ErrOwner, ErrFormat.
func Open(c Config) (*Spool, *Recovery, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, nil, err
	}
	for _, dir := range []string{c.Dir, filepath.Join(c.Dir, segmentDir), filepath.Join(c.Dir, dataDir)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, nil, fmt.Errorf("open spool: %w", err)
		}
	}
	lock, err := takeLock(c.Dir)
	if err != nil {
		return nil, nil, fmt.Errorf("open spool %s: %w", c.Dir, err)
	}
	s := newSpool(c, lock)
	rec, err := s.recover()
	if err != nil {
		err = errors.Join(fmt.Errorf("open spool %s: %w", c.Dir, err), s.files.close(), lock.Unlock())
		if s.log.file != nil {
			err = errors.Join(err, s.log.file.Close())
		}
		return nil, nil, err
	}
	s.log.file.Reserve(logReserve)
	s.start()
	s.touch()
	return s, rec, nil
}

// takeLock locks the directory and writes our pid into the lock file.
func takeLock(dir string) (*flock.Flock, error) {
	path := filepath.Join(dir, lockName)
	lock := flock.New(path, flock.SetPermissions(0o600))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, &ErrLocked{PID: readPID(path)}
	}
	if err := os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return lock, nil
}

func readPID(path string) int {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0
	}
	return pid
}

// OwnerOf tells whose spool a directory holds; os.ErrNotExist: it holds none. Errors: ErrFormat.
func OwnerOf(dir string) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, ownerName))
	if err != nil {
		return "", err
	}
	var f ownerFile
	if err := json.Unmarshal(b, &f); err != nil {
		return "", fmt.Errorf("%w: %s: %w", ErrFormat, ownerName, err)
	}
	if f.Format != ownerFormat {
		return "", fmt.Errorf("%w: version %d", ErrFormat, f.Format)
	}
	return f.Owner, nil
}

type ownerFile struct {
	Format int    `json:"format"`
	Owner  string `json:"owner"`
}

// checkOwner refuses a spool of somebody else, and signs a new one.
func checkOwner(dir, owner string) error {
	has, err := OwnerOf(dir)
	if errors.Is(err, os.ErrNotExist) {
		b, err := json.Marshal(ownerFile{Format: ownerFormat, Owner: owner})
		if err != nil {
			return err
		}
		return renameio.WriteFile(filepath.Join(dir, ownerName), append(b, '\n'), 0o600)
	}
	if err == nil && has != owner {
		err = fmt.Errorf("%w: it is of %s", ErrOwner, has)
	}
	return err
}

// openLog opens the log, or makes the first one. A log that is missing or unreadable beside data is not
// taken for an empty one: the data would be deleted.
func (s *Spool) openLog() (err error) {
	s.log.file, err = frame.Open(s.logPath(), logFormat())
	switch {
	case errors.Is(err, frame.ErrHeader):
		return fmt.Errorf("%w: %w", ErrFormat, err)
	case !errors.Is(err, os.ErrNotExist):
		return err
	case len(s.storages) > 0:
		return fmt.Errorf("%w: %s is missing, but %s and %s are not empty", ErrFormat, logName, segmentDir, dataDir)
	}
	frames, seq, err := encodeLog(s.cfg.BootID, 0, nil)
	if err != nil {
		return err
	}
	s.log.file, err = frame.Create(s.logPath(), logFormat(), frames)
	s.log.lastSeq.Store(seq)
	if err == nil {
		err = frame.SyncDir(filepath.Dir(s.cfg.Dir)) // the directory may be new
	}
	return err
}
