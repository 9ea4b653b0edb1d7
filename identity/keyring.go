package identity

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/zalando/go-keyring"
)

// Keyring keeps secrets by service and name, as go-keyring does. An absent one is keyring.ErrNotFound.
type Keyring interface {
	Get(service, name string) (string, error)
	Set(service, name, secret string) error
	Delete(service, name string) error
}

// keyringService is what the entries are found under.
const keyringService = "s3levelfs"

// keyringTimeout is how long a keyring may take to answer: it may ask its owner to unlock it.
const keyringTimeout = 30 * time.Second

var errNotInKeyring = errors.New("not in the keyring")

// SystemKeyring is the keyring of the user's session (the Secret Service on D-Bus); nil where there is no session bus, as
// for services and over ssh. It starts no bus: D-Bus's own search would.
func SystemKeyring() Keyring {
	if os.Getenv("DBUS_SESSION_BUS_ADDRESS") == "" {
		dir := os.Getenv("XDG_RUNTIME_DIR")
		if dir == "" {
			return nil
		}
		if _, err := os.Stat(filepath.Join(dir, "bus")); err != nil { //nolint:gosec // the user's own variable
			return nil
		}
	}
	return systemKeyring{}
}

type systemKeyring struct{}

func (systemKeyring) Get(service, name string) (string, error) { return keyring.Get(service, name) }
func (systemKeyring) Set(service, name, secret string) error {
	return keyring.Set(service, name, secret)
}
func (systemKeyring) Delete(service, name string) error { return keyring.Delete(service, name) }

// boundedRing gives a keyring's calls an end. They can not be cancelled: one that hangs, while its owner is asked to
// unlock, keeps its goroutine until it is answered, and no second one is begun.
type boundedRing struct {
	ring Keyring
	turn chan struct{} // holds one token: whoever has it may call
}

func newBoundedRing(r Keyring) *boundedRing {
	b := &boundedRing{ring: r, turn: make(chan struct{}, 1)}
	b.turn <- struct{}{}
	return b
}

type ringAnswer struct {
	text string
	err  error
}

func (b *boundedRing) do(ctx context.Context, call func() (string, error)) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, keyringTimeout)
	defer cancel()
	select {
	case <-b.turn:
	case <-ctx.Done():
		return "", keyringHangs(ctx)
	}
	done := make(chan ringAnswer, 1)
	go func() {
		text, err := call()
		b.turn <- struct{}{}
		done <- ringAnswer{text, err}
	}()
	select {
	case a := <-done:
		switch {
		case errors.Is(a.err, keyring.ErrNotFound):
			return "", errNotInKeyring
		case a.err != nil:
			return "", fmt.Errorf("system keyring: %w: unlock it, or sign in again", a.err)
		}
		return a.text, nil
	case <-ctx.Done():
		return "", keyringHangs(ctx)
	}
}

func keyringHangs(ctx context.Context) error {
	return fmt.Errorf("system keyring: it does not answer: unlock it (%w)", ctx.Err())
}

func (b *boundedRing) get(ctx context.Context, name string) (string, error) {
	return b.do(ctx, func() (string, error) { return b.ring.Get(keyringService, name) })
}

// set also reads back what it wrote: some keyrings take what they then do not have.
func (b *boundedRing) set(ctx context.Context, name, secret string) error {
	_, err := b.do(ctx, func() (string, error) {
		if err := b.ring.Set(keyringService, name, secret); err != nil {
			return "", err
		}
		got, err := b.ring.Get(keyringService, name)
		if err == nil && got != secret {
			err = errors.New("it does not keep what it is given")
		}
		return "", err
	})
	return err
}

func (b *boundedRing) remove(ctx context.Context, name string) error {
	_, err := b.do(ctx, func() (string, error) { return "", b.ring.Delete(keyringService, name) })
	return err
}
