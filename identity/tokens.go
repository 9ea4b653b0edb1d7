package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"
)

// TokensConfig says where logins are kept.
type TokensConfig struct {
	Dir     string  // 0700, made when something is stored; of one user of the machine, on a local disk
	Keyring Keyring // nil: the secrets lie in files of mode 0600 in Dir
}

// Tokens keeps logins, one for each (user pool, app client), and guests' identity ids, one for each identity pool, for all
// processes of a user. What the keyring refuses lies in a file.
//
// Each change is made under a lock that all processes share, to what is there then: a refresh token that one of them got
// in exchange for another is never overwritten by one that has been used up.
type Tokens struct {
	dir  string
	ring *boundedRing
}

// NewTokens makes no file.
func NewTokens(cfg TokensConfig) *Tokens {
	t := &Tokens{dir: cfg.Dir}
	if cfg.Keyring != nil {
		t.ring = newBoundedRing(cfg.Keyring)
	}
	return t
}

// Slot is the place of one login or one guest.
type Slot struct{ name string }

func slotOf(kind string, parts ...string) Slot {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return Slot{kind + "-" + hex.EncodeToString(sum[:10])}
}

// UserSlot is where the login with a user pool's client is.
func UserSlot(userPoolID, clientID string) Slot { return slotOf("user", userPoolID, clientID) }

// GuestSlot is where the guest of an identity pool is.
func GuestSlot(identityPoolID string) Slot { return slotOf("guest", identityPoolID) }

// Version changes with every change of a slot; "" = it is empty.
type Version string

// slotFile is what a slot's file holds, format 1.
type slotFile struct {
	Format  int             `json:"format"`
	Stored  string          `json:"stored"`          // file, keyring
	Version string          `json:"version"`         // random
	Login   json.RawMessage `json:"login,omitempty"` // stored in the file
	Guest   string          `json:"guest,omitempty"` // identity id
}

const (
	slotFormat    = 1
	storedFile    = "file"
	storedKeyring = "keyring"
	lockPoll      = 20 * time.Millisecond
)

func (t *Tokens) path(s Slot) string { return filepath.Join(t.dir, s.name+".json") }

// Version looks without reading: one stat.
func (t *Tokens) Version(s Slot) (Version, error) {
	info, err := os.Stat(t.path(s))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("token store: %w", err)
	}
	inode := uint64(0)
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		inode = st.Ino
	}
	return Version(fmt.Sprintf("%d-%d-%d", info.ModTime().UnixNano(), inode, info.Size())), nil
}

// read gives what a slot's file holds; nil where there is none.
func (t *Tokens) read(s Slot) (*slotFile, error) {
	path := t.path(s)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // nothing there is no error
	}
	if err != nil {
		return nil, fmt.Errorf("token store: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("token store: %s has mode %04o, others may have read it: `chmod 600` it, then log out and in again", path, info.Mode().Perm())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("token store: %w", err)
	}
	var f slotFile
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, fmt.Errorf("token store: %s: %w: remove it and sign in again", path, withoutValue(err))
	}
	if f.Format != slotFormat {
		return nil, fmt.Errorf("token store: %s has format %d, this program knows %d: use the newer program", path, f.Format, slotFormat)
	}
	return &f, nil
}

// Load gives the login of a slot. Without one the error is ErrLoginNeeded.
func (t *Tokens) Load(ctx context.Context, s Slot) (*Login, Version, error) {
	version, err := t.Version(s) // before the content: what is read may be newer, never older
	if err != nil {
		return nil, "", err
	}
	f, err := t.read(s)
	if err != nil {
		return nil, "", err
	}
	l, err := t.loginOf(ctx, s, f)
	if err != nil {
		return nil, "", err
	}
	if l == nil {
		return nil, version, ErrLoginNeeded
	}
	return l, version, nil
}

func (t *Tokens) loginOf(ctx context.Context, s Slot, f *slotFile) (*Login, error) {
	if f == nil || f.Guest != "" {
		return nil, nil // nobody is signed in
	}
	text := f.Login
	if f.Stored == storedKeyring {
		if t.ring == nil {
			return nil, errors.New("token store: the login lies in the system keyring, which this session has not: " +
				"set DBUS_SESSION_BUS_ADDRESS, or sign in again from here")
		}
		secret, err := t.ring.get(ctx, s.name)
		if errors.Is(err, errNotInKeyring) {
			return nil, nil // somebody has removed it there
		}
		if err != nil {
			return nil, err
		}
		text = []byte(secret)
	}
	l, err := parseLogin(text)
	if err != nil {
		return nil, fmt.Errorf("token store: %s: %w: sign in again", t.path(s), err)
	}
	return l, nil
}

// Update changes the login of a slot: change gets what is there (nil = nobody) and gives what is to be there (nil =
// nobody, the same pointer = no change). No other process reads and writes meanwhile; ctx bounds the wait for them.
// What change gives is on the disk, or in the keyring, when Update returns.
func (t *Tokens) Update(ctx context.Context, s Slot, change func(*Login) (*Login, error)) error {
	return t.locked(ctx, s, func() error {
		f, err := t.read(s)
		if err != nil {
			return err
		}
		old, err := t.loginOf(ctx, s, f)
		if err != nil {
			return err
		}
		l, err := change(old)
		switch {
		case err != nil:
			return err
		case l == old:
			return nil
		case l == nil:
			return t.remove(ctx, s, f)
		}
		return t.write(ctx, s, l)
	})
}

// Replace puts a new login into a slot, whatever is there: a damaged one, too.
func (t *Tokens) Replace(ctx context.Context, s Slot, l *Login) error {
	return t.locked(ctx, s, func() error { return t.write(ctx, s, l) })
}

func (t *Tokens) write(ctx context.Context, s Slot, l *Login) error {
	text, err := l.save()
	if err != nil {
		return fmt.Errorf("token store: %w", err)
	}
	f := slotFile{Stored: storedFile, Login: text}
	if t.ring != nil && t.ring.set(ctx, s.name, string(text)) == nil {
		f = slotFile{Stored: storedKeyring}
	}
	return t.writeFile(s, f)
}

// writeFile replaces a slot's file in one step, and syncs it.
func (t *Tokens) writeFile(s Slot, f slotFile) error {
	f.Format, f.Version = slotFormat, rand.Text()
	text, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("token store: %w", err)
	}
	file, err := renameio.NewPendingFile(t.path(s), renameio.WithStaticPermissions(0o600)) // whatever the old one has
	if err != nil {
		return fmt.Errorf("token store: %w", err)
	}
	defer func() { _ = file.Cleanup() }()
	if _, err = file.Write(text); err == nil {
		err = file.CloseAtomicallyReplace()
	}
	if err != nil {
		return fmt.Errorf("token store: %w", err)
	}
	return nil
}

func (t *Tokens) remove(ctx context.Context, s Slot, f *slotFile) error {
	if t.ring != nil { // also what an earlier login has left there
		err := t.ring.remove(ctx, s.name)
		if err != nil && !errors.Is(err, errNotInKeyring) && f != nil && f.Stored == storedKeyring {
			return err
		}
	}
	if err := os.Remove(t.path(s)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("token store: %w", err)
	}
	return nil
}

func (t *Tokens) locked(ctx context.Context, s Slot, do func() error) error {
	if err := os.MkdirAll(t.dir, 0o700); err != nil {
		return fmt.Errorf("token store: %w", err)
	}
	lock := flock.New(filepath.Join(t.dir, s.name+".lock"), flock.SetPermissions(0o600))
	if ok, err := lock.TryLockContext(ctx, lockPoll); !ok {
		return fmt.Errorf("token store: another process is at %s: %w", lock.Path(), err)
	}
	err := do()
	return errors.Join(err, lock.Unlock())
}

// Guest is the identity id of an identity pool's guest, "" if there is none yet.
func (t *Tokens) Guest(identityPoolID string) (string, error) {
	f, err := t.read(GuestSlot(identityPoolID))
	if f == nil || err != nil {
		return "", err
	}
	return f.Guest, nil
}

// KeepGuest keeps the identity id of a guest, which find gives where there is none yet: of several processes one asks. It is
// no secret, but all that a guest's files hang on.
func (t *Tokens) KeepGuest(ctx context.Context, identityPoolID string, find func() (string, error)) (id string, err error) {
	s := GuestSlot(identityPoolID)
	err = t.locked(ctx, s, func() error {
		if id, err = t.Guest(identityPoolID); id != "" || err != nil {
			return err
		}
		if id, err = find(); err != nil {
			return err
		}
		return t.writeFile(s, slotFile{Stored: storedFile, Guest: id})
	})
	return id, err
}

// DropGuest forgets the guest's identity id if it is still this one.
func (t *Tokens) DropGuest(ctx context.Context, identityPoolID, id string) error {
	s := GuestSlot(identityPoolID)
	return t.locked(ctx, s, func() error {
		if now, err := t.Guest(identityPoolID); err != nil || now != id {
			return err
		}
		if err := os.Remove(t.path(s)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("token store: %w", err)
		}
		return nil
	})
}

// Where says in words where the login of a slot is kept; "" where there is none.
func (t *Tokens) Where(s Slot) string {
	f, err := t.read(s)
	switch {
	case err != nil || f == nil:
		return ""
	case f.Stored == storedKeyring:
		return "system keyring"
	}
	return t.path(s)
}
