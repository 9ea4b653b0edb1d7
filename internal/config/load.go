package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// Error is a setting that can not be used: which, where it came from, why.
type Error struct {
	Name   string // option, "" when it concerns several
	Origin string // "--flag", "S3LEVELFS_X", "file:line"
	Err    error
}

func (e *Error) Error() string {
	switch {
	case e.Name == "":
		return e.Err.Error()
	case e.Origin == "":
		return fmt.Sprintf("--%s: %v", e.Name, e.Err)
	}
	return fmt.Sprintf("%s: %s: %v", e.Origin, e.Name, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Loaded is a configuration with the origin of each value that is not a
// default, by option name.
type Loaded struct {
	*Config
	Origin map[string]string
}

// Sources are where settings come from, strongest first.
type Sources struct {
	Flags  map[string]string           // given on the command line
	Getenv func(string) (string, bool) // nil: os.LookupEnv
	File   string                      // TOML; "" = S3LEVELFS_CONFIG, else the default file if it exists
}

// Load reads the sources into a configuration. The error is an *Error.
func Load(s Sources) (*Loaded, error) {
	if s.Getenv == nil {
		s.Getenv = os.LookupEnv
	}
	l := &Loaded{Config: Default(), Origin: map[string]string{}}
	table := l.Table()
	if err := l.file(table, s); err != nil {
		return nil, err
	}
	for _, o := range table {
		if v, ok := s.Getenv(o.Env()); ok {
			if err := o.Set(v); err != nil {
				return nil, &Error{Name: o.Name, Origin: o.Env(), Err: err}
			}
			l.Origin[o.Name] = o.Env()
		}
		if v, ok := s.Flags[o.Name]; ok {
			if err := o.Set(v); err != nil {
				return nil, &Error{Name: o.Name, Err: err}
			}
			l.Origin[o.Name] = "--" + o.Name
		}
	}
	return l, l.validate()
}

// file applies the configuration file, if there is one.
func (l *Loaded) file(table []Option, s Sources) error {
	path, must := s.File, true
	if path == "" {
		path, must = s.Getenv("S3LEVELFS_CONFIG")
	}
	if path == "" {
		path, must = defaultFile(s.Getenv), false
	}
	if path == "" {
		return nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !must {
		return nil
	}
	if err != nil {
		return &Error{Name: "config", Err: err}
	}
	var values map[string]any
	if err := toml.Unmarshal(text, &values); err != nil {
		if de, ok := errors.AsType[*toml.DecodeError](err); ok {
			row, _ := de.Position()
			return &Error{Name: "TOML", Origin: fmt.Sprintf("%s:%d", path, row), Err: de}
		}
		return &Error{Name: "config", Origin: path, Err: err}
	}
	byName := map[string]Option{}
	for _, o := range table {
		byName[o.Name] = o
	}
	for name, v := range values {
		origin := fmt.Sprintf("%s:%d", path, lineOf(string(text), name))
		o, known := byName[name]
		if !known {
			return &Error{Name: name, Origin: origin, Err: errors.New("no such setting; see `s3levelfs mount -h` for their names")}
		}
		switch v.(type) {
		case string, bool, int64, float64:
		default:
			return &Error{Name: name, Origin: origin, Err: errors.New("must be a single value, not a list or a table")}
		}
		if err := o.Set(fmt.Sprint(v)); err != nil {
			return &Error{Name: name, Origin: origin, Err: err}
		}
		l.Origin[name] = origin
	}
	return nil
}

// lineOf finds the line, counted from 1, on which a key is set.
func lineOf(text, key string) int {
	n := 0
	for line := range strings.Lines(text) {
		n++
		name, _, ok := strings.Cut(line, "=")
		if ok && strings.Trim(strings.TrimSpace(name), `"'`) == key {
			return n
		}
	}
	return 1
}

// validate checks what concerns more than one setting.
func (l *Loaded) validate() error {
	if l.Vault {
		if l.Level != "" && l.Level != "private" {
			return &Error{Err: fmt.Errorf("--vault means --level private, but --level is %q: give one of them", l.Level)}
		}
		l.Level = "private"
	}
	if l.UploadLimit > 0 && l.UploadLimit < 64<<10 {
		return &Error{Err: errors.New("--upload-limit: below 64KiB a second uploads would not end in their time: give more, or 0 for no limit")}
	}
	if l.Guest && l.Level == "private" {
		return &Error{Err: errors.New("a guest has no private level: leave --guest or --level private out")}
	}
	return nil
}

// RequireStore checks that the settings name a bucket and somebody who may
// use it; commands that talk to a store call it.
func (l *Loaded) RequireStore() error {
	switch {
	case l.Local != "" && l.Endpoint != "":
		return &Error{Err: errors.New("--local is an endpoint of its own: leave --endpoint or --local out")}
	case l.Local == "" && l.Bucket == "":
		return &Error{Err: errors.New("no bucket: give --bucket NAME, or --local DIR for the embedded S3")}
	case l.Local == "" && l.IdentityID == "" && !l.Guest && l.Cognito.IdentityPoolID == "":
		return &Error{Err: errors.New("no identity: give --identity-id ID, or --guest to be nobody, " +
			"or the app's pools (--identity-pool-id, --user-pool-id, --client-id) and sign in with `s3levelfs login`")}
	}
	return nil
}
