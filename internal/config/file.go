package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/s3levelfs/s3levelfs/internal/amplify"
)

// files reads the file that was named, or the user's own. What is named may be an Amplify app's file: then the app's store is
// meant, and of the user's own file only counts what is not of the store.
func (l *Loaded) files(table []Option, s Sources) (layer, error) {
	named := s.File
	if named == "" {
		named, _ = s.Getenv("S3LEVELFS_CONFIG")
	}
	if named == "" {
		return l.defaultFile(table, s)
	}
	text, err := os.ReadFile(named)
	if err != nil {
		return nil, &Error{Name: "config", Err: err}
	}
	if amplify.DetectFormat(named, string(text)) == amplify.TOML {
		return l.toml(table, named, text)
	}
	if l.App, err = amplify.Parse(named, text); err != nil {
		return nil, &Error{Err: err}
	}
	app := l.App
	own, err := l.defaultFile(table, s)
	if err != nil {
		return nil, err
	}
	l.App = app
	for _, o := range table {
		if o.Group == GroupStore {
			delete(own, o.Name)
		}
	}
	return own, nil
}

// defaultFile reads the user's own file, if there is one.
func (l *Loaded) defaultFile(table []Option, s Sources) (layer, error) {
	path := defaultFile(s.Getenv)
	if path == "" {
		return layer{}, nil
	}
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return layer{}, nil
	case err != nil:
		return nil, &Error{Name: "config", Origin: path, Err: err}
	}
	return l.toml(table, path, text)
}

// toml takes a file of our own settings. Amplify's manual configuration, tables Auth and Storage, may stand beside them.
func (l *Loaded) toml(table []Option, path string, text []byte) (layer, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // editors of Windows put it there
	var values map[string]any
	if err := toml.Unmarshal(text, &values); err != nil {
		if de, ok := errors.AsType[*toml.DecodeError](err); ok {
			row, _ := de.Position()
			return nil, &Error{Name: "TOML", Origin: fmt.Sprintf("%s:%d", path, row), Err: de}
		}
		return nil, &Error{Name: "config", Origin: path, Err: err}
	}
	l.File = path
	known := map[string]bool{}
	for _, o := range table {
		known[o.Name] = true
	}
	own, manual := layer{}, false
	for name, v := range values {
		if name == "Auth" || name == "Storage" {
			manual = true
			continue
		}
		origin := fmt.Sprintf("%s:%d", path, lineOf(string(text), name))
		if table, ok := v.(map[string]any); ok && name == "provider" {
			chosen, err := l.providerTables(table, path, string(text))
			if err != nil {
				return nil, err
			}
			maps.Copy(own, chosen)
			continue
		}
		if name == "objects" {
			if err := l.objectRules(v, objectNames(table), fmt.Sprintf("%s:%d", path, lineOfTable(string(text), name))); err != nil {
				return nil, err
			}
			continue
		}
		if name == "tracking" {
			if err := trackingSetting(v, origin, own); err != nil {
				return nil, err
			}
			continue
		}
		if !known[name] {
			return nil, &Error{Name: name, Origin: origin, Err: errors.New("no such setting; see `s3levelfs mount -h` for their names")}
		}
		switch v.(type) {
		case string, bool, int64, float64:
		default:
			return nil, &Error{Name: name, Origin: origin, Err: errors.New("must be a single value, not a list or a table")}
		}
		own[name] = setting{fmt.Sprint(v), origin}
	}
	if !manual {
		return own, nil
	}
	app, err := amplify.Parse(path, text)
	if err != nil {
		return nil, &Error{Err: err}
	}
	l.App = app
	return own, nil
}

// objectNames are the options that a table [[objects]] may have.
func objectNames(table []Option) map[string]bool {
	names := map[string]bool{}
	for _, o := range table {
		if o.Group == GroupObject {
			names[o.Name] = true
		}
	}
	return names
}

// lineOfTable finds the line, counted from 1, of the first table of an array.
func lineOfTable(text, name string) int {
	n := 0
	for line := range strings.Lines(text) {
		if n++; strings.TrimSpace(line) == "[["+name+"]]" {
			return n
		}
	}
	return lineOf(text, name)
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
