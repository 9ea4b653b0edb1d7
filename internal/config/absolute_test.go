package config_test

import (
	"path/filepath"
	"testing"

	"github.com/s3levelfs/s3levelfs/internal/config"
)

// TestDirectoriesAreAbsolute: a daemon leaves the working directory that a relative one was given in.
func TestDirectoriesAreAbsolute(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	l, err := config.Load(config.Sources{
		Flags:  map[string]string{"state-dir": "state", "cache-dir": "../c", "log-file": "log"},
		Getenv: func(string) (string, bool) { return "", false },
	})
	if err != nil {
		t.Fatal(err)
	}
	for got, want := range map[string]string{
		l.StateBase(): filepath.Join(dir, "state"), l.CacheBase(): filepath.Join(filepath.Dir(dir), "c"), l.LogFile: filepath.Join(dir, "log"),
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
