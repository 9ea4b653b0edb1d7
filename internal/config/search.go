package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/s3levelfs/s3levelfs/internal/amplify"
)

// appFiles are the names under which Amplify's tools leave an app's configuration, the newest first.
func appFiles() []string {
	return []string{
		"amplify_outputs.json", "amplifyconfiguration.json", "src/amplifyconfiguration.json",
		"aws-exports.js", "src/aws-exports.js", "src/aws-exports.ts",
	}
}

// search looks for the app's file that nobody has named: in the directory, in those above it, in the user's configuration
// directory. A file that happens to lie there must not redirect anybody: it counts only where nothing else names a
// bucket, and only if it belongs to the user or to root.
func (l *Loaded) search(s Sources, layers []layer) error {
	if l.App != nil || s.Dir == "" || given(layers, "bucket") || given(layers, "local") || otherProvider(layers) {
		return nil
	}
	path, info := find(s)
	if info == nil {
		return nil
	}
	if owner, foreign := foreign(info, os.Getuid()); foreign {
		return &Error{Err: fmt.Errorf("%s: belongs to user %d, not to you: name it by --config %s if you trust it, or give --bucket NAME", path, owner, path)}
	}
	app, err := amplify.Read(path)
	if _, inFile := errors.AsType[*amplify.Error](err); inFile {
		return &Error{Err: err}
	}
	if err != nil {
		return &Error{Name: "config", Origin: path, Err: err}
	}
	l.App = app
	return nil
}

// given reports whether any source says something that is not empty.
func given(layers []layer, name string) bool {
	for _, from := range layers {
		if from[name].text != "" {
			return true
		}
	}
	return false
}

// find looks where an app's file may be. One in the directory itself is named without it.
func find(s Sources) (string, fs.FileInfo) {
	for dir := filepath.Clean(s.Dir); ; dir = filepath.Dir(dir) {
		for _, name := range appFiles() {
			path := filepath.Join(dir, name)
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
				if dir == filepath.Clean(s.Dir) && isWorkingDir(dir) {
					path = name
				}
				return path, info
			}
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	for _, name := range appFiles() {
		path := under(s.Getenv, "XDG_CONFIG_HOME", ".config", name)
		if path == "" {
			break
		}
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path, info
		}
	}
	return "", nil
}

func isWorkingDir(dir string) bool {
	wd, err := os.Getwd()
	return err == nil && wd == dir
}

// foreign reports whether a file belongs to somebody who is neither the user nor root, and to whom.
func foreign(info fs.FileInfo, uid int) (owner int, yes bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(st.Uid), int(st.Uid) != uid && st.Uid != 0
}
