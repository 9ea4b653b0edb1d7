package config

import (
	"errors"
	"fmt"
	"os"

	"github.com/s3levelfs/s3levelfs/internal/amplify"
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
	File   string       // our own TOML that was read, "" if none
	App    *amplify.App // what the Amplify app's file says, nil without one
	// AppBucket is the bucket in use as App has it, with its access rules; nil where the bucket is none of the app's.
	AppBucket *amplify.Bucket
}

// Sources are where settings come from, strongest first.
type Sources struct {
	Flags  map[string]string           // given on the command line
	Getenv func(string) (string, bool) // nil: os.LookupEnv
	// File is our own TOML or an Amplify app's file; "" = S3LEVELFS_CONFIG, else the user's config.toml if it exists.
	File string
	// Dir is where the search for an app's file begins that nobody has named; "" = there is no search.
	Dir string
}

// setting is a value as text and where it was given.
type setting struct{ text, origin string }

// layer is what one source says, by option name.
type layer map[string]setting

// Load reads the sources into a configuration. The error is an *Error.
func Load(s Sources) (*Loaded, error) {
	if s.Getenv == nil {
		s.Getenv = os.LookupEnv
	}
	l := &Loaded{Config: Default(), Origin: map[string]string{}}
	table := l.Table()
	own, err := l.files(table, s)
	if err != nil {
		return nil, err
	}
	layers := []layer{own, environment(table, s.Getenv), flags(s.Flags)}
	if err := l.search(s, layers); err != nil {
		return nil, err
	}
	app, err := l.settings(layers)
	if err != nil {
		return nil, err
	}
	for _, from := range append([]layer{app}, layers...) {
		if err := l.apply(table, from); err != nil {
			return nil, err
		}
	}
	if err := l.absolute(); err != nil {
		return nil, err
	}
	return l, l.validate()
}

// apply sets what a source says, over what weaker ones have said.
func (l *Loaded) apply(table []Option, from layer) error {
	for _, o := range table {
		v, ok := from[o.Name]
		if !ok {
			continue
		}
		if err := o.Set(v.text); err != nil {
			if v.origin == "--"+o.Name {
				return &Error{Name: o.Name, Err: err}
			}
			return &Error{Name: o.Name, Origin: v.origin, Err: err}
		}
		l.Origin[o.Name] = v.origin
	}
	return nil
}

func environment(table []Option, getenv func(string) (string, bool)) layer {
	given := layer{}
	for _, o := range table {
		if v, ok := getenv(o.Env()); ok {
			given[o.Name] = setting{v, o.Env()}
		}
	}
	return given
}

func flags(values map[string]string) layer {
	given := layer{}
	for name, v := range values {
		given[name] = setting{v, "--" + name}
	}
	return given
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
// use it; commands that talk to a store call it. An identity pool stands for
// somebody: who that is, a login or a guest, is found out later.
func (l *Loaded) RequireStore() error {
	switch {
	case l.Local != "" && l.Endpoint != "":
		return &Error{Err: errors.New("--local is an endpoint of its own: leave --endpoint or --local out")}
	case l.Local == "" && l.Bucket == "" && l.App != nil && len(l.App.Buckets) == 0:
		return &Error{Err: fmt.Errorf("no bucket: %s has no storage: run `amplify add storage` and `amplify push` (Gen 1), "+
			"or define it with defineStorage (Gen 2), or give --bucket NAME", l.App.File)}
	case l.Local == "" && l.Bucket == "":
		return &Error{Err: errors.New("no bucket: give --bucket NAME, the file of your Amplify app by --config FILE, " +
			"or --local DIR for the embedded S3")}
	case l.Local == "" && l.IdentityID == "" && !l.Guest && l.Cognito.IdentityPoolID == "":
		return &Error{Err: errors.New("no identity: give --identity-id ID, or --guest to be nobody, " +
			"or the app's pools (--identity-pool-id, --user-pool-id, --client-id) and sign in with `s3levelfs login`")}
	}
	return nil
}
