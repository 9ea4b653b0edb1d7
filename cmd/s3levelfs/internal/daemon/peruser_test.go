package daemon

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/s3levelfs/s3levelfs/internal/config"
)

const appWithPaths = `{
  "version": "1.4",
  "auth": {
    "user_pool_id": "us-east-1_Ab12Cd34E", "aws_region": "us-east-1", "user_pool_client_id": "4k7s9example0client1id2abc",
    "identity_pool_id": "us-east-1:0a1b2c3d-1111-2222-3333-444455556666",
    "groups": [{ "admin": { "precedence": 0 } }]
  },
  "storage": {
    "aws_region": "us-east-1", "bucket_name": "shop-media",
    "buckets": [
      { "name": "archive", "bucket_name": "shop-archive", "aws_region": "eu-west-1" },
      { "name": "media", "bucket_name": "shop-media", "aws_region": "us-east-1", "paths": {
        "shared/pictures/*": { "guest": ["get", "list"], "authenticated": ["get", "list", "write", "delete"] },
        "home/${cognito-identity.amazonaws.com:sub}/*": { "entityidentity": ["get", "list", "write", "delete"] },
        "admin/*": { "groupsadmin": ["get", "list", "write", "delete"], "resource": ["get"] },
        "jobs/*": { "resource": ["get"] }
      } }
    ]
  }
}`

func loadApp(t *testing.T, flags map[string]string) *config.Loaded {
	t.Helper()
	file := filepath.Join(t.TempDir(), "amplify_outputs.json")
	if err := os.WriteFile(file, []byte(appWithPaths), 0o644); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(config.Sources{File: file, Flags: flags, Getenv: func(string) (string, bool) { return "", false }})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// TestLinkNames: a front has the names that anybody's mount may have in its root: the levels, or the tops of the app's paths, those of
// groups too, and not those of nobody.
func TestLinkNames(t *testing.T) {
	names, err := linkNames(loadApp(t, nil))
	if want := []string{"shared", "home", "admin"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("of an app with paths: %q, %v; want %q", names, err, want)
	}
	levels, err := config.Load(config.Sources{Flags: map[string]string{"bucket": "b", "uploads": "true"}, Getenv: func(string) (string, bool) { return "", false }})
	if err != nil {
		t.Fatal(err)
	}
	names, err = linkNames(levels)
	if want := []string{"public", "protected", "private", "uploads"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("of levels: %q, %v; want %q", names, err, want)
	}
}

// TestUserArgs: each user's mount has the front's settings, wherever they came from, its share of the memory, and none of what is the
// front's alone; read again they mean the same.
func TestUserArgs(t *testing.T) {
	cfg := loadApp(t, map[string]string{
		"storage-bucket": "media", "memory": "1GiB", "per-user": "true", "per-user-max": "4", "state-dir": "/s", "cache-dir": "/c",
		"log-file": "/l", "settle": "3s", "read-only": "true", "spool-keep-free": "10%", "umask": "077",
	})
	args, err := userArgs(cfg)
	if err != nil {
		t.Fatal(err)
	}
	flags := map[string]string{}
	for _, a := range args {
		name, value, _ := strings.Cut(strings.TrimPrefix(a, "--"), "=")
		flags[name] = value
	}
	for _, name := range []string{"storage-bucket", "per-user", "per-user-max", "state-dir", "cache-dir", "log-file"} {
		if _, passed := flags[name]; passed {
			t.Errorf("--%s is passed: %q", name, args)
		}
	}
	if _, ok := flags[loginOrGuestFlag]; !ok || flags["config"] != cfg.App.File {
		t.Errorf("args: %q", args)
	}
	delete(flags, loginOrGuestFlag)
	delete(flags, "config")
	again, err := config.Load(config.Sources{File: cfg.App.File, Flags: flags, Getenv: func(string) (string, bool) { return "", false }})
	if err != nil {
		t.Fatal(err)
	}
	if again.Memory != 256<<20 || again.PerUser || again.Settle != cfg.Settle || !again.ReadOnly || again.KeepFree != cfg.KeepFree || again.Umask != cfg.Umask ||
		again.Bucket != "shop-media" || again.Cognito != cfg.Cognito || again.AppBucket == nil || len(again.AppBucket.Paths) != 4 {
		t.Errorf("read again: %+v, %+v", again.Config, again.AppBucket)
	}
}
