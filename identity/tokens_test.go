package identity_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zalando/go-keyring"

	"github.com/s3levelfs/s3levelfs/identity"
)

func aLogin(session string) *identity.Login {
	return &identity.Login{
		Session: session, Username: "alice", Subject: "sub-1", IdentityID: "us-east-1:x",
		ID: "id.token.1", Access: "access.token.1", Refresh: "refresh-token-1", Expires: time.Unix(2000, 0), Since: time.Unix(1000, 0),
	}
}

func kinds(t *testing.T) map[string]identity.Keyring {
	t.Helper()
	keyring.MockInit()
	return map[string]identity.Keyring{"file": nil, "keyring": &ring{}}
}

// TestTokensComeBack: what is stored is found by another process, with all of it; nothing of it can be read by others, and in
// the keyring's case nothing of it lies in a file.
func TestTokensComeBack(t *testing.T) {
	for name, k := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "state", "identity")
			slot := identity.UserSlot("us-east-1_a", "client")
			store := identity.NewTokens(identity.TokensConfig{Dir: dir, Keyring: k})
			if _, _, err := store.Load(t.Context(), slot); !errors.Is(err, identity.ErrLoginNeeded) {
				t.Fatalf("an empty store: %v", err)
			}
			if err := store.Replace(t.Context(), slot, aLogin("s")); err != nil {
				t.Fatal(err)
			}
			l, v, err := identity.NewTokens(identity.TokensConfig{Dir: dir, Keyring: k}).Load(t.Context(), slot)
			if err != nil || v == "" || !l.Expires.Equal(time.Unix(2000, 0)) || l.Refresh.Reveal() != "refresh-token-1" || l.ID.Reveal() != "id.token.1" ||
				l.Access.Reveal() != "access.token.1" || l.IdentityID != "us-east-1:x" || l.Session != "s" || l.Subject != "sub-1" {
				t.Fatalf("%+v %v", l, err)
			}
			if _, _, err := store.Load(t.Context(), identity.UserSlot("us-east-1_a", "other")); !errors.Is(err, identity.ErrLoginNeeded) {
				t.Errorf("another client's: %v", err)
			}
			where := store.Where(slot)
			if inRing := where == "system keyring"; inRing != (k != nil) || !inRing && filepath.Dir(where) != dir {
				t.Errorf("stored in %q", where)
			}
			checkPrivate(t, dir, k != nil)
			if err := store.Update(t.Context(), slot, func(*identity.Login) (*identity.Login, error) { return nil, nil }); err != nil {
				t.Fatal(err)
			}
			if _, _, err := store.Load(t.Context(), slot); !errors.Is(err, identity.ErrLoginNeeded) || store.Where(slot) != "" {
				t.Errorf("removed: %v", err)
			}
		})
	}
}

// checkPrivate looks at modes, names and, where the keyring has them, for secrets.
func checkPrivate(t *testing.T, dir string, nothingInside bool) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %04o", path, info.Mode().Perm())
		}
		if d.IsDir() {
			return nil
		}
		text, err := os.ReadFile(path)
		if nothingInside && (strings.Contains(string(text), "token") || strings.Contains(string(text), "refresh")) {
			t.Errorf("%s: %s", path, text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestKeyringThatRefuses: what it does not take lies in a file of mode 0600; one that has the login but does not answer says so, and
// is not taken for a sign-out.
func TestKeyringThatRefuses(t *testing.T) {
	keyring.MockInit()
	dir, slot, k := t.TempDir(), identity.UserSlot("p", "c"), &ring{err: errors.New("locked")}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	store := identity.NewTokens(identity.TokensConfig{Dir: dir, Keyring: k})
	if err := store.Replace(t.Context(), slot, aLogin("s")); err != nil {
		t.Fatal(err)
	}
	if filepath.Dir(store.Where(slot)) != dir {
		t.Errorf("stored in %q", store.Where(slot))
	}
	checkPrivate(t, dir, false)
	k.err = nil
	if err := store.Replace(t.Context(), slot, aLogin("s")); err != nil || store.Where(slot) != "system keyring" {
		t.Fatalf("%v, in %q", err, store.Where(slot))
	}
	k.err = errors.New("locked")
	for name, s := range map[string]*identity.Tokens{"locked": store, "none": identity.NewTokens(identity.TokensConfig{Dir: dir})} {
		if _, _, err := s.Load(t.Context(), slot); err == nil || errors.Is(err, identity.ErrLoginNeeded) || !strings.Contains(err.Error(), "keyring") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// hanging never answers.
type hanging struct{ end chan struct{} }

func (h hanging) Get(string, string) (string, error) { <-h.end; return "", errors.New("ended") }
func (h hanging) Set(string, string, string) error   { <-h.end; return errors.New("ended") }
func (h hanging) Delete(string, string) error        { <-h.end; return errors.New("ended") }

// TestKeyringThatHangs: a keyring that asks its owner to unlock it, whom nobody sees, stops nothing for ever.
func TestKeyringThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := hanging{make(chan struct{})}
		store := identity.NewTokens(identity.TokensConfig{Dir: t.TempDir(), Keyring: k})
		began := time.Now()
		if err := store.Replace(t.Context(), identity.UserSlot("p", "c"), aLogin("s")); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 30*time.Second {
			t.Errorf("it waited %v", took)
		}
		close(k.end)
		synctest.Wait()
	})
}

// TestUpdatesLoseNothing: two processes that both exchange what is stored never see the same one twice.
func TestUpdatesLoseNothing(t *testing.T) {
	for name, k := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			dir, slot := t.TempDir(), identity.UserSlot("p", "c")
			open := func() *identity.Tokens { return identity.NewTokens(identity.TokensConfig{Dir: dir, Keyring: k}) }
			start := aLogin("s")
			start.Refresh = "0"
			if err := open().Replace(t.Context(), slot, start); err != nil {
				t.Fatal(err)
			}
			var mu sync.Mutex
			seen := map[string]int{}
			var wg sync.WaitGroup
			const workers, rounds = 4, 10
			for range workers {
				wg.Go(func() {
					store := open()
					for range rounds {
						err := store.Update(t.Context(), slot, func(l *identity.Login) (*identity.Login, error) {
							mu.Lock()
							seen[l.Refresh.Reveal()]++
							next := *l
							next.Refresh = identity.Secret(fmt.Sprint(len(seen)))
							mu.Unlock()
							return &next, nil
						})
						if err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			l, _, err := open().Load(t.Context(), slot)
			if err != nil || l.Refresh.Reveal() != fmt.Sprint(workers*rounds) || len(seen) != workers*rounds {
				t.Errorf("%d tokens for %d changes, the last is %q, %v", len(seen), workers*rounds, l.Refresh.Reveal(), err)
			}
		})
	}
}

// TestVersionTellsChanges: each change another version, no change none; a look at it costs no lock.
func TestVersionTellsChanges(t *testing.T) {
	for name, k := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			slot := identity.UserSlot("p", "c")
			store := identity.NewTokens(identity.TokensConfig{Dir: t.TempDir(), Keyring: k})
			seen := map[identity.Version]bool{"": true}
			if v, err := store.Version(slot); v != "" || err != nil {
				t.Fatalf("%q %v", v, err)
			}
			for i := range 5 {
				if err := store.Replace(t.Context(), slot, aLogin(fmt.Sprint(i))); err != nil {
					t.Fatal(err)
				}
				v, err := store.Version(slot)
				if err != nil || seen[v] {
					t.Errorf("change %d: version %q again, %v", i, v, err)
				}
				seen[v] = true
				same := func(l *identity.Login) (*identity.Login, error) { return l, nil }
				if err := store.Update(t.Context(), slot, same); err != nil {
					t.Fatal(err)
				}
				if now, _ := store.Version(slot); now != v {
					t.Error("another version without a change")
				}
			}
		})
	}
}

// TestDamagedTokens: what is not right is told with the file's name and without what is in it; others' eyes are told, too; a new
// login mends it.
func TestDamagedTokens(t *testing.T) {
	slot := identity.UserSlot("p", "c")
	for name, tt := range map[string]struct {
		change func(path string) error
		says   string
	}{
		"cut":         {func(p string) error { return os.Truncate(p, 60) }, "damaged"},
		"other type":  {func(p string) error { return os.WriteFile(p, []byte(`{"format":"refresh-token-1"}`), 0o600) }, "damaged"},
		"newer":       {func(p string) error { return os.WriteFile(p, []byte(`{"format":7}`), 0o600) }, "format 7"},
		"no login":    {func(p string) error { return os.WriteFile(p, []byte(`{"format":1,"login":{"session":"x"}}`), 0o600) }, "no refresh token"},
		"open to all": {func(p string) error { return os.Chmod(p, 0o644) }, "chmod 600"},
	} {
		t.Run(name, func(t *testing.T) {
			store := identity.NewTokens(identity.TokensConfig{Dir: t.TempDir()})
			if err := store.Replace(t.Context(), slot, aLogin("s")); err != nil {
				t.Fatal(err)
			}
			if err := tt.change(store.Where(slot)); err != nil {
				t.Fatal(err)
			}
			_, _, err := store.Load(t.Context(), slot)
			if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "refresh-token-1") {
				t.Errorf("%v", err)
			}
			if err := store.Replace(t.Context(), slot, aLogin("s")); err != nil {
				t.Fatal(err)
			}
			if _, _, err := store.Load(t.Context(), slot); err != nil {
				t.Errorf("after a new login: %v", err)
			}
		})
	}
}

// TestGuestIsKept: of several processes one makes the guest; a drop is of that guest alone.
func TestGuestIsKept(t *testing.T) {
	dir := t.TempDir()
	made := 0 // under the store's lock
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			store := identity.NewTokens(identity.TokensConfig{Dir: dir})
			id, err := store.KeepGuest(t.Context(), "pool", func() (string, error) { made++; return "us-east-1:guest", nil })
			if id != "us-east-1:guest" || err != nil {
				t.Errorf("%q %v", id, err)
			}
		})
	}
	wg.Wait()
	store := identity.NewTokens(identity.TokensConfig{Dir: dir})
	if err := store.DropGuest(t.Context(), "pool", "us-east-1:another"); err != nil {
		t.Fatal(err)
	}
	if id, err := store.Guest("pool"); made != 1 || id != "us-east-1:guest" || err != nil {
		t.Errorf("made %d times, %q, %v", made, id, err)
	}
	if id, err := store.Guest("other"); id != "" || err != nil {
		t.Errorf("another pool's: %q, %v", id, err)
	}
	if err := store.DropGuest(t.Context(), "pool", "us-east-1:guest"); err != nil {
		t.Fatal(err)
	}
	if id, _ := store.Guest("pool"); id != "" {
		t.Errorf("dropped, but %q", id)
	}
}

// TestLockIsBounded: a process that holds the lock too long is named by it, and does not stop others for ever.
func TestLockIsBounded(t *testing.T) {
	dir, slot := t.TempDir(), identity.UserSlot("p", "c")
	a, b := identity.NewTokens(identity.TokensConfig{Dir: dir}), identity.NewTokens(identity.TokensConfig{Dir: dir})
	err := a.Update(t.Context(), slot, func(*identity.Login) (*identity.Login, error) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := b.Replace(ctx, slot, aLogin("s"))
		if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "another process") {
			t.Errorf("got %v", err)
		}
		return nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestLoginPrintsNoSecret: not in a log, not in a document that somebody makes of it by mistake.
func TestLoginPrintsNoSecret(t *testing.T) {
	doc, err := json.Marshal(aLogin("s"))
	if err != nil {
		t.Fatal(err)
	}
	if all := fmt.Sprintf("%v %+v %#v %s", aLogin("s"), *aLogin("s"), aLogin("s"), doc); strings.Contains(all, "token-1") || strings.Contains(all, "token.1") {
		t.Error(all)
	}
}
