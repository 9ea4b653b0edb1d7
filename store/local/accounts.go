//go:build !nolocal

package local

import (
	"cmp"
	"errors"
	"maps"
	"slices"

	"github.com/versity/versitygw/auth"
)

// accounts is versitygw's user directory: fixed at the start, hence without locks.
type accounts map[string]auth.Account

var _ auth.IAMService = accounts(nil)

// errFixed is the answer to attempts to change users.
var errFixed = errors.New("accounts are fixed at the server's start")

func newAccounts(root Credentials, users []Account) accounts {
	a := accounts{root.Access: {Access: root.Access, Secret: root.Secret, Role: auth.RoleAdmin}}
	for _, u := range users {
		a[u.Access] = auth.Account{Access: u.Access, Secret: u.Secret, Role: auth.Role(cmp.Or(u.Role, RoleUser))}
	}
	return a
}

// GetUserAccount implements [auth.IAMService].
func (a accounts) GetUserAccount(access string) (auth.Account, error) {
	if acct, ok := a[access]; ok {
		return acct, nil
	}
	return auth.Account{}, auth.ErrNoSuchUser
}

// ResolveAccounts implements [auth.IAMService]: it returns the unknown ones.
func (a accounts) ResolveAccounts(keys []string) ([]string, error) {
	return slices.DeleteFunc(slices.Clone(keys), func(k string) bool { _, ok := a[k]; return ok }), nil
}

// ListUserAccounts implements [auth.IAMService].
func (a accounts) ListUserAccounts() ([]auth.Account, error) {
	return slices.Collect(maps.Values(a)), nil
}

// CreateAccount implements [auth.IAMService].
func (a accounts) CreateAccount(auth.Account) error { return errFixed }

// UpdateUserAccount implements [auth.IAMService].
func (a accounts) UpdateUserAccount(string, auth.MutableProps) error { return errFixed }

// DeleteUserAccount implements [auth.IAMService].
func (a accounts) DeleteUserAccount(string) error { return errFixed }

// Shutdown implements [auth.IAMService].
func (a accounts) Shutdown() error { return nil }
