package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/internal/config"
)

func env(pairs map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := pairs[name]; return v, ok }
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPrecedence(t *testing.T) {
	file := writeFile(t, "bucket = 'from-file'\nregion = 'file'\nendpoint = 'http://file'\nmetadata-ttl = '7s'\n")
	l, err := config.Load(config.Sources{
		Flags:  map[string]string{"bucket": "from-flag"},
		Getenv: env(map[string]string{"S3LEVELFS_BUCKET": "from-env", "S3LEVELFS_REGION": "env"}),
		File:   file,
	})
	if err != nil {
		t.Fatal(err)
	}
	if l.Bucket != "from-flag" || l.Region != "env" || l.Endpoint != "http://file" || l.MetadataTTL != 7*time.Second {
		t.Errorf("got bucket %q, region %q, endpoint %q, ttl %v", l.Bucket, l.Region, l.Endpoint, l.MetadataTTL)
	}
	want := map[string]string{"bucket": "--bucket", "region": "S3LEVELFS_REGION", "endpoint": file + ":3", "metadata-ttl": file + ":4"}
	if d := cmp.Diff(want, l.Origin); d != "" {
		t.Errorf("origins (-want +got):\n%s", d)
	}
}

func TestPrefixSetToNothingDiffersFromUnset(t *testing.T) {
	l, err := config.Load(config.Sources{Flags: map[string]string{"public-prefix": ""}, Getenv: env(nil)})
	if err != nil {
		t.Fatal(err)
	}
	if p := l.PublicPrefix.Ptr(); p == nil || *p != "" {
		t.Errorf("public prefix = %v, want a pointer to \"\"", p)
	}
	if p := l.PrivatePrefix.Ptr(); p != nil {
		t.Errorf("private prefix = %q, want nil", *p)
	}
}

func TestBadValuesNameTheThing(t *testing.T) {
	tests := []struct {
		name  string
		flags map[string]string
		env   map[string]string
		file  string
		want  []string
	}{
		{"enum", map[string]string{"attrs": "maybe"}, nil, "", []string{"--attrs", `"maybe"`, "auto, exact, listing"}},
		{"size", map[string]string{"memory": "lots"}, nil, "", []string{"--memory", `"lots"`, "512MiB"}},
		{"size bound", map[string]string{"memory": "1KiB"}, nil, "", []string{"--memory", "16 MiB"}},
		{"cache size", map[string]string{"cache-size": "1MiB"}, nil, "", []string{"--cache-size", "16 MiB", "auto", "0"}},
		{"int", nil, map[string]string{"S3LEVELFS_MAX_ATTEMPTS": "0"}, "", []string{"S3LEVELFS_MAX_ATTEMPTS", `"0"`, "1 to 20"}},
		{"bool", nil, map[string]string{"S3LEVELFS_GUEST": "perhaps"}, "", []string{"S3LEVELFS_GUEST", "perhaps"}},
		{"umask", map[string]string{"umask": "999"}, nil, "", []string{"--umask", "999", "octal"}},
		{"duration", map[string]string{"settle": "2 h"}, nil, "", []string{"--settle", `"2 h"`, "500ms"}},
		{"unknown key", nil, nil, "a = 1\n", []string{"config.toml:1", "a", "no such setting"}},
		{"value in file", nil, nil, "\nclose = 'later'\n", []string{"config.toml:2", "close", "spool, upload"}},
		{"list in file", nil, nil, "bucket = ['a']\n", []string{"config.toml:1", "bucket", "single value"}},
		{"syntax", nil, nil, "x\n= 3\n", []string{"config.toml:1"}},
		{"vault and level", map[string]string{"vault": "true", "level": "public"}, nil, "", []string{"--vault", "--level"}},
		{"guest and private", map[string]string{"guest": "true", "level": "private"}, nil, "", []string{"guest", "private"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := config.Sources{Flags: tt.flags, Getenv: env(tt.env)}
			if tt.file != "" {
				s.File = writeFile(t, tt.file)
			}
			_, err := config.Load(s)
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range tt.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q does not name %q", err, w)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("error is not one line: %q", err)
			}
		})
	}
}

func TestByteOrderMarkChangesNothing(t *testing.T) {
	l, err := config.Load(config.Sources{Getenv: env(nil), File: writeFile(t, "\ufeffbucket = 'b'\n")})
	if err != nil || l.Bucket != "b" {
		t.Errorf("%v", err)
	}
}

func TestCacheSize(t *testing.T) {
	for text, want := range map[string]int64{"": config.AutoSize, "auto": config.AutoSize, "0": 0, "16MiB": 16 << 20, "20 GiB": 20 << 30} {
		flags := map[string]string{}
		if text != "" {
			flags["cache-size"] = text
		}
		l, err := config.Load(config.Sources{Flags: flags, Getenv: env(nil)})
		if err != nil || l.CacheSize != want {
			t.Errorf("%q: %v", text, err)
		}
	}
	l, err := config.Load(config.Sources{Flags: map[string]string{"cache-keep-free": "0", "spool-keep-free": "auto"}, Getenv: env(nil)})
	if err != nil || l.CacheKeepFree != (config.KeepFree{}) || l.KeepFree != config.Default().KeepFree || l.KeepFree == config.Default().CacheKeepFree {
		t.Errorf("%+v, %v", l, err)
	}
}

func TestRequireStore(t *testing.T) {
	tests := []struct {
		flags map[string]string
		want  string
	}{
		{map[string]string{}, "no bucket"},
		{map[string]string{"bucket": "b"}, "no identity"},
		{map[string]string{"local": "d", "endpoint": "http://x"}, "--endpoint"},
		{map[string]string{"bucket": "b", "guest": "true"}, ""},
		{map[string]string{"bucket": "b", "identity-id": "r:1"}, ""},
		{map[string]string{"bucket": "b", "identity-pool-id": "r:1"}, ""},
		{map[string]string{"local": "d"}, ""},
	}
	for _, tt := range tests {
		l, err := config.Load(config.Sources{Flags: tt.flags, Getenv: env(nil)})
		if err != nil {
			t.Fatal(err)
		}
		err = l.RequireStore()
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: got %v, want %q", tt.flags, err, tt.want)
		}
	}
}

func TestDefaultsAreValidText(t *testing.T) {
	for _, o := range config.Default().Table() {
		if o.String() == "" {
			continue
		}
		if err := o.Set(o.String()); err != nil {
			t.Errorf("default of %s: %v", o.Name, err)
		}
	}
}

func TestOwnersOfDifferentIdentitiesDiffer(t *testing.T) {
	c := config.Default()
	c.Bucket = "b"
	if config.Partition(c.Owner("r:1")) == config.Partition(c.Owner("r:2")) {
		t.Error("two identities share a partition")
	}
	o, ok := config.ParseOwner(c.Owner("r:1"))
	if !ok || o.Bucket != "b" || o.Identity != "r:1" || o.Prefixes != [3]string{"public/", "protected/", "private/"} {
		t.Errorf("owner %+v, %v", o, ok)
	}
	if _, ok := config.ParseOwner("something else"); ok {
		t.Error("anything is an owner")
	}
}

// TestObjectRules: the options of objects come from all sources, those for patterns from the file alone, in its order; metadata and tags may be tables.
func TestObjectRules(t *testing.T) {
	file := writeFile(t, "cache-control = 'file'\n\n[[objects]]\nmatch = '*.css'\ncache-control = 'max-age=60'\nmetadata = { a = '1 2', b = 'x&y' }\n\n"+
		"[[objects]]\nmatch = 'public/*'\nbucket-key = true\nexpires = 1893456000\n")
	l, err := config.Load(config.Sources{
		Flags: map[string]string{"storage-class": "GLACIER_IR"}, Getenv: env(map[string]string{"S3LEVELFS_CACHE_CONTROL": "env"}), File: file,
	})
	if err != nil {
		t.Fatal(err)
	}
	if l.Object["cache-control"] != "env" || l.Object["storage-class"] != "GLACIER_IR" {
		t.Errorf("options %v", l.Object)
	}
	want := []config.ObjectRule{
		{Match: "*.css", Settings: map[string]string{"cache-control": "max-age=60", "metadata": "a=1+2&b=x%26y"}, Origin: file + ":3, table 1"},
		{Match: "public/*", Settings: map[string]string{"bucket-key": "true", "expires": "1893456000"}, Origin: file + ":3, table 2"},
	}
	if d := cmp.Diff(want, l.Objects); d != "" {
		t.Error(d)
	}
	for _, bad := range []string{"objects = 1", "[objects]\nmatch = 'x'", "[[objects]]\ncolour = 'red'", "[[objects]]\nbucket = 'b'", "[[objects]]\nmetadata = { a = 1 }"} {
		file := writeFile(t, bad)
		if _, err := config.Load(config.Sources{Getenv: env(nil), File: file}); err == nil || !strings.Contains(err.Error(), file+":1") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
