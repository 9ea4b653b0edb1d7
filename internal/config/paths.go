package config

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const dirName = "s3levelfs"

func defaultFile(getenv func(string) (string, bool)) string {
	return under(getenv, "XDG_CONFIG_HOME", ".config", "config.toml")
}

// under gives $variable/s3levelfs/rest, or $HOME/fallback/s3levelfs/rest; ""
// when neither is known.
func under(getenv func(string) (string, bool), variable, fallback, rest string) string {
	if d, _ := getenv(variable); filepath.IsAbs(d) {
		return filepath.Join(d, dirName, rest)
	}
	if home, _ := getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, fallback, dirName, rest)
	}
	return ""
}

// StateBase is the directory that holds the partitions of what must not be
// lost. Source: XDG base directory specification, XDG_STATE_HOME.
func (c *Config) StateBase() string {
	if c.StateDir != "" {
		return c.StateDir
	}
	return orTemp(under(os.LookupEnv, "XDG_STATE_HOME", ".local/state", ""))
}

// CacheBase is the directory that holds the partitions of what can be fetched
// again.
func (c *Config) CacheBase() string {
	if c.CacheDir != "" {
		return c.CacheDir
	}
	return orTemp(under(os.LookupEnv, "XDG_CACHE_HOME", ".cache", ""))
}

// absolute makes the paths absolute that are used after a daemon has left the working directory.
func (l *Loaded) absolute() error {
	for name, p := range map[string]*string{"state-dir": &l.StateDir, "cache-dir": &l.CacheDir, "log-file": &l.LogFile} {
		if *p == "" {
			continue
		}
		abs, err := filepath.Abs(*p)
		if err != nil {
			return &Error{Name: name, Origin: l.Origin[name], Err: err}
		}
		*p = abs
	}
	return nil
}

// RuntimeDir is where running mounts of this user are registered.
func RuntimeDir() string {
	if d := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(d) {
		return filepath.Join(d, dirName)
	}
	return orTemp("")
}

func orTemp(dir string) string {
	if dir != "" {
		return dir
	}
	return filepath.Join(os.TempDir(), dirName+"-"+strconv.Itoa(os.Getuid()))
}

// Owner names whose data a partition holds: endpoint (or another provider's place), bucket, prefixes and
// identity. A spool is never replayed into another one.
func (c *Config) Owner(identity string) string {
	where := c.Endpoint
	if c.Local != "" {
		abs, err := filepath.Abs(c.Local)
		if err != nil {
			abs = c.Local
		}
		where = "local:" + abs
	}
	if c.ProviderPlace != "" {
		where = c.ProviderPlace
	}
	prefix := func(s OptString, def string) string {
		if s.Set {
			return s.Value
		}
		return def
	}
	return strings.Join([]string{
		where, c.Bucket,
		prefix(c.PublicPrefix, "public/"), prefix(c.ProtectedPrefix, "protected/"), prefix(c.PrivatePrefix, "private/"),
		identity,
	}, "\n")
}

// Owned is an Owner taken apart again.
type Owned struct {
	Endpoint, Bucket, Identity string
	Prefixes                   [3]string // public, protected, private
}

// ParseOwner is the inverse of Owner.
func ParseOwner(owner string) (o Owned, ok bool) {
	f := strings.Split(owner, "\n")
	if len(f) != 6 {
		return o, false
	}
	return Owned{Endpoint: f[0], Bucket: f[1], Prefixes: [3]string(f[2:5]), Identity: f[5]}, true
}

// Partition is the directory name for an owner: it tells nothing of it.
func Partition(owner string) string {
	sum := sha256.Sum256([]byte(owner))
	return hex.EncodeToString(sum[:10])
}
