package peruser

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// passed are the variables of the front that say how this machine is, not who somebody is.
func passed() []string {
	return []string{
		"PATH", "LANG", "LC_ALL", "LC_MESSAGES", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "GOMEMLIMIT", "GOGC",
		"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_CA_BUNDLE", "AWS_EC2_METADATA_DISABLED",
	}
}

// proxies may hold a password; without one they are passed, too.
func proxies() []string {
	return []string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"}
}

// environ is the environment of a user's mount: of the front's only what is known to be no secret, home and runtime directory the
// user's own. The other XDG directories are the defaults below home: what a user's shell sets nobody here knows. config is a
// directory without settings, so that the front's hold for all.
func environ(front []string, a Account, config string) []string {
	var env []string
	for _, pair := range front {
		name, value, _ := strings.Cut(pair, "=")
		if slices.Contains(passed(), name) || slices.Contains(proxies(), name) && !hasPassword(value) {
			env = append(env, pair)
		}
	}
	env = append(env, "HOME="+a.Home, "USER="+a.Name, "LOGNAME="+a.Name, "XDG_CONFIG_HOME="+config)
	if dir := runtimeDir(a.UID); dir != "" {
		env = append(env, "XDG_RUNTIME_DIR="+dir)
	}
	return env
}

func hasPassword(proxy string) bool {
	u, err := url.Parse(proxy)
	return err != nil || u.User != nil || strings.Contains(proxy, "@")
}

// runtimeDir is where a session of the user has its sockets, "" while there is none. Source: XDG base directory specification,
// XDG_RUNTIME_DIR, as pam_systemd sets it.
func runtimeDir(uid uint32) string {
	dir := fmt.Sprintf("/run/user/%d", uid)
	if ownedBy(dir, uid) {
		return dir
	}
	return ""
}

func ownedBy(dir string, uid uint32) bool {
	var st unix.Stat_t
	return unix.Lstat(dir, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR && st.Uid == uid
}

// ownDir makes a directory of the user's in one that only root can change.
func ownDir(parent string, a Account) (string, error) {
	dir := filepath.Join(parent, fmt.Sprint(a.UID))
	if err := os.Mkdir(dir, 0o700); err != nil && !os.IsExist(err) {
		return "", err
	}
	if ownedBy(dir, a.UID) {
		return dir, nil
	}
	return dir, os.Lchown(dir, int(a.UID), int(a.GID))
}

// CommonDir makes a directory in which users' own are: root's, and all may pass. Another's is refused, for he could exchange what is in it.
func CommonDir(dir string) error {
	if err := os.MkdirAll(dir, 0o711); err != nil { //nolint:gosec // all may pass, nobody may look
		return err
	}
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return err
	}
	if int(st.Uid) != os.Geteuid() || st.Mode&0o022 != 0 {
		return fmt.Errorf("%s belongs to somebody else, or others can write to it: give a directory of root's", dir)
	}
	return os.Chmod(dir, os.FileMode(st.Mode&0o777|0o111))
}
