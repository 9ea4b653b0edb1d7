package peruser

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Account is what the machine knows of a user.
type Account struct {
	UID, GID uint32
	Groups   []uint32 // supplementary
	Name     string
	Home     string // "" = none
}

// errNoAccount is why a uid without an entry gets no mount: fusermount3 mounts for accounts alone, and there is no home for its login.
var errNoAccount = fmt.Errorf("has no account on this machine (/etc/passwd, getent passwd): add one: %w", syscall.EACCES)

// helperTimeout bounds getent(1) and id(1), which may ask a directory over the network.
const helperTimeout = 10 * time.Second

// LookUp finds a user in /etc/passwd, and where it is not there asks getent(1) and id(1), which know the machine's other sources (LDAP,
// sssd). A uid without an entry is EACCES.
func LookUp(ctx context.Context, uid uint32) (Account, error) {
	id := strconv.FormatUint(uint64(uid), 10)
	u, err := user.LookupId(id)
	if err == nil {
		groups, err := u.GroupIds()
		if err != nil {
			return Account{}, fmt.Errorf("groups of %s: %w", u.Username, err)
		}
		return account(uid, u.Gid, u.Username, u.HomeDir, groups)
	}
	if _, unknown := errors.AsType[user.UnknownUserIdError](err); !unknown {
		return Account{}, fmt.Errorf("uid %d: %w", uid, err)
	}
	ctx, cancel := context.WithTimeout(ctx, helperTimeout)
	defer cancel()
	entry, err := output(ctx, "getent", "passwd", id)
	if err != nil {
		return Account{}, fmt.Errorf("uid %d: %w", uid, err)
	}
	f := strings.Split(entry, ":") // passwd(5)
	if len(f) < 7 {
		return Account{}, fmt.Errorf("uid %d %w", uid, errNoAccount)
	}
	groups, err := output(ctx, "id", "-G", "--", f[0])
	if err != nil {
		return Account{}, fmt.Errorf("groups of %s: %w", f[0], err)
	}
	return account(uid, f[3], f[0], f[5], strings.Fields(groups))
}

// output is a helper's; "" where there is no such helper or it has found nothing, which getent tells by 2.
func output(ctx context.Context, name string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, name, args...).Output() //nolint:gosec // names are constants, arguments numbers and the machine's own names
	if ee, ok := errors.AsType[*exec.ExitError](err); ok && ee.ExitCode() == 2 || errors.Is(err, exec.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return strings.TrimSpace(string(out)), nil
}

func account(uid uint32, gid, name, home string, groups []string) (Account, error) {
	a := Account{UID: uid, Name: name, Home: home}
	for i, text := range append([]string{gid}, groups...) {
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return Account{}, fmt.Errorf("group %q of %s: %w", text, name, err)
		}
		if i == 0 {
			a.GID = uint32(n)
			continue
		}
		a.Groups = append(a.Groups, uint32(n))
	}
	return a, nil
}
