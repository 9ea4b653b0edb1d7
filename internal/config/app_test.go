package config_test

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/internal/amplify"
	"github.com/s3levelfs/s3levelfs/internal/config"
)

// put writes files below a directory.
func put(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func load(t *testing.T, s config.Sources) *config.Loaded {
	t.Helper()
	if s.Getenv == nil {
		s.Getenv = env(nil)
	}
	l, err := config.Load(s)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

const webApp = `const awsmobile = {
  aws_project_region: 'eu-west-1',
  aws_cognito_identity_pool_id: 'eu-west-1:1234',
  aws_user_pools_id: 'eu-west-1_Pool',
  aws_user_pools_web_client_id: 'client',
  aws_user_files_s3_bucket: 'web-bucket',
};
export default awsmobile;
`

const twoBuckets = `{"version": "1.2", "storage": {"bucket_name": "b-media", "aws_region": "us-east-1", "buckets": [
 {"name": "media", "bucket_name": "b-media", "aws_region": "us-east-1", "paths": {"media/*": {"guest": ["get"]}}},
 {"name": "archive", "bucket_name": "b-archive", "aws_region": "us-west-2"}]}}`

// TestAppsFileGivesSettings: each value of the app's file is a setting that knows its file and line.
func TestAppsFileGivesSettings(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, map[string]string{"aws-exports.js": webApp, "manual.js": `Amplify.configure({
  Auth: { identityPoolId: 'r:1', Cognito: undefined, endpoint: 'http://127.0.0.1:1' },
  Storage: { AWSS3: { bucket: 'b', region: 'r', level: 'private',
    customPrefix: { public: '', protected: 'prot/' }, dangerouslyConnectToHttpEndpointForTesting: true } } })`})
	web := filepath.Join(dir, "aws-exports.js")
	l := load(t, config.Sources{File: web})
	if l.Bucket != "web-bucket" || l.Region != "eu-west-1" || l.App.Shape != amplify.ShapeExports || l.AppBucket.BucketName != "web-bucket" {
		t.Errorf("%+v, %+v", l.Config, l.AppBucket)
	}
	if want := (config.Cognito{IdentityPoolID: "eu-west-1:1234", UserPoolID: "eu-west-1_Pool", ClientID: "client"}); l.Cognito != want {
		t.Errorf("%+v", l.Cognito)
	}
	want := map[string]string{
		"bucket": web + ":6", "region": web + ":2", "identity-pool-id": web + ":3", "user-pool-id": web + ":4", "client-id": web + ":5",
	}
	if d := cmp.Diff(want, l.Origin); d != "" {
		t.Errorf("origins (-want +got):\n%s", d)
	}
	if err := l.RequireStore(); err != nil {
		t.Errorf("an identity pool is nobody: %v", err)
	}

	manual := filepath.Join(dir, "manual.js")
	l = load(t, config.Sources{File: manual})
	if l.Endpoint != "http://localhost:20005" || !l.PathStyle || l.DefaultLevel != "private" || l.Level != "" || l.Cognito.UserPoolEndpoint != "http://127.0.0.1:1" {
		t.Errorf("%+v", l.Config)
	}
	if p := l.PublicPrefix.Ptr(); p == nil || *p != "" || l.ProtectedPrefix.Value != "prot/" || l.PrivatePrefix.Set {
		t.Errorf("prefixes %v, %v, %v", l.PublicPrefix, l.ProtectedPrefix, l.PrivatePrefix)
	}
	for _, name := range []string{"public-prefix", "protected-prefix", "endpoint", "path-style"} {
		if l.Origin[name] != manual+":4" {
			t.Errorf("%s comes from %q", name, l.Origin[name])
		}
	}
}

// TestStrongerThanTheAppsFile: flags, environment and our own file win, key by key.
func TestStrongerThanTheAppsFile(t *testing.T) {
	home := t.TempDir()
	put(t, home, map[string]string{
		"app/aws-exports.js":            webApp,
		".config/s3levelfs/config.toml": "client-id = 'own-client'\nregion = 'own-region'\ncache-size = '1GiB'\n",
	})
	environ := map[string]string{"HOME": home, "S3LEVELFS_USER_POOL_ID": "env_Pool", "S3LEVELFS_REGION": "env-region"}
	l := load(t, config.Sources{
		Getenv: env(environ), Dir: filepath.Join(home, "app"), Flags: map[string]string{"identity-pool-id": "flag:pool", "region": "flag-region"},
	})
	got := []string{l.Bucket, l.Cognito.IdentityPoolID, l.Cognito.UserPoolID, l.Cognito.ClientID, l.Region}
	if d := cmp.Diff([]string{"web-bucket", "flag:pool", "env_Pool", "own-client", "flag-region"}, got); d != "" {
		t.Error(d)
	}
	if l.CacheSize != 1<<30 || l.File == "" {
		t.Errorf("the own file does not count: %d, %q", l.CacheSize, l.File)
	}

	// Of the own file only counts what is not of the store where the app's file was named.
	delete(environ, "S3LEVELFS_REGION")
	environ["S3LEVELFS_CONFIG"] = filepath.Join(home, "app", "aws-exports.js")
	put(t, home, map[string]string{".config/s3levelfs/config.toml": "bucket = 'own'\nprivate-prefix = 'mine/'\ncache-size = '1GiB'\n"})
	l = load(t, config.Sources{Getenv: env(environ)})
	if l.Bucket != "web-bucket" || l.PrivatePrefix.Set || l.CacheSize != 1<<30 {
		t.Errorf("%+v", l.Config)
	}
}

// TestAppsFileIsFoundInOrder: the directory before those above it, in each the newest name first, the user's own last.
func TestAppsFileIsFoundInOrder(t *testing.T) {
	home := t.TempDir()
	work := filepath.Join(home, "project", "deep", "er")
	flat := func(bucket string) string {
		return `{"aws_project_region": "r", "aws_user_files_s3_bucket": "` + bucket + `"}`
	}
	gen2 := func(bucket string) string {
		return `{"version": "1", "storage": {"bucket_name": "` + bucket + `", "aws_region": "r"}}`
	}
	js := func(bucket string) string { return "export default " + flat(bucket) }
	order := []struct{ name, text string }{
		{"project/deep/er/amplify_outputs.json", gen2("here-1")},
		{"project/deep/er/amplifyconfiguration.json", flat("here-2")},
		{"project/deep/er/src/amplifyconfiguration.json", flat("here-3")},
		{"project/deep/er/aws-exports.js", js("here-4")},
		{"project/deep/er/src/aws-exports.js", js("here-5")},
		{"project/deep/er/src/aws-exports.ts", js("here-6")},
		{"project/deep/amplify_outputs.json", gen2("above")},
		{"project/src/aws-exports.ts", js("further")},
		{".config/s3levelfs/amplify_outputs.json", gen2("user-1")},
		{".config/s3levelfs/aws-exports.js", js("user-4")},
		{".config/s3levelfs/src/aws-exports.ts", js("user-6")},
	}
	all := map[string]string{"project/deep/er/x": ""}
	for _, f := range order {
		all[f.name] = f.text
	}
	put(t, home, all)
	buckets := []string{"here-1", "here-2", "here-3", "here-4", "here-5", "here-6", "above", "further", "user-1", "user-4", "user-6"}
	for i, want := range buckets {
		l := load(t, config.Sources{Getenv: env(map[string]string{"HOME": home}), Dir: work})
		if l.Bucket != want || !strings.HasPrefix(l.Origin["bucket"], filepath.Join(home, order[i].name)+":") {
			t.Fatalf("found %q in %s, want %q", l.Bucket, l.Origin["bucket"], want)
		}
		if err := os.Remove(filepath.Join(home, order[i].name)); err != nil {
			t.Fatal(err)
		}
	}
	if l := load(t, config.Sources{Getenv: env(map[string]string{"HOME": home}), Dir: work}); l.App != nil {
		t.Errorf("found %s", l.App.File)
	}
}

// TestFoundFileInTheWorkingDirectory is named as people name it.
func TestFoundFileInTheWorkingDirectory(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, map[string]string{"src/aws-exports.js": webApp})
	t.Chdir(dir)
	if l := load(t, config.Sources{Dir: dir}); l.Origin["bucket"] != "src/aws-exports.js:6" {
		t.Errorf("%q", l.Origin["bucket"])
	}
}

// TestFoundFileIsNotInTheWay: a file that happens to lie there is not even read where a bucket is named otherwise, nor by
// commands that need none.
func TestFoundFileIsNotInTheWay(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, map[string]string{"aws-exports.js": "broken {", "own.toml": "bucket = 'own'\n", "manual.toml": "[Storage]\nbucket = 'manual'\n"})
	for name, s := range map[string]config.Sources{
		"flag":        {Dir: dir, Flags: map[string]string{"bucket": "b"}},
		"local":       {Dir: dir, Flags: map[string]string{"local": "d"}},
		"environment": {Dir: dir, Getenv: env(map[string]string{"S3LEVELFS_BUCKET": "b"})},
		"own file":    {Dir: dir, File: filepath.Join(dir, "own.toml")},
		"no search":   {},
	} {
		if l := load(t, s); l.App != nil {
			t.Errorf("%s: %s is used", name, l.App.File)
		}
	}
	if l := load(t, config.Sources{Dir: dir, File: filepath.Join(dir, "manual.toml")}); l.Bucket != "manual" || l.File != l.App.File {
		t.Errorf("Auth and Storage in our own file: %+v", l)
	}
	_, err := config.Load(config.Sources{Getenv: env(nil), Dir: dir})
	if want := filepath.Join(dir, "aws-exports.js") + ":1: has code (broken …)"; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestOneOfTheAppsBuckets(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, map[string]string{"two.json": twoBuckets, "none.json": `{"version": "1", "auth": {"identity_pool_id": "r:1"}}`})
	two, none := filepath.Join(dir, "two.json"), filepath.Join(dir, "none.json")
	for _, tt := range []struct {
		file           string
		flags          map[string]string
		bucket, region string
		paths          int
		wrong          string
	}{
		{two, nil, "b-media", "us-east-1", 1, ""},
		{two, map[string]string{"storage-bucket": "archive"}, "b-archive", "us-west-2", 0, ""},
		{two, map[string]string{"bucket": "b-archive"}, "b-archive", "us-west-2", 0, ""},
		{two, map[string]string{"bucket": "foreign"}, "foreign", "", -1, ""},
		{two, map[string]string{"local": "d"}, "", "", -1, ""},
		{two, map[string]string{"storage-bucket": "photos"}, "", "", 0, `--storage-bucket: "photos" is none of the buckets in ` + two + ": use media, archive"},
		{none, map[string]string{"storage-bucket": "photos"}, "", "", 0, `--storage-bucket: "photos" is none of the buckets in ` + none + ": use --bucket NAME, as it has none"},
		{two, map[string]string{"storage-bucket": "media", "bucket": "b"}, "", "", 0, "--storage-bucket: names a bucket of the app, and --bucket another: leave one of them out"},
		{"", map[string]string{"storage-bucket": "media"}, "", "", 0, "--storage-bucket: there is no Amplify app's file: name it by --config FILE"},
	} {
		l, err := config.Load(config.Sources{Getenv: env(nil), File: tt.file, Flags: maps.Clone(tt.flags)})
		if tt.wrong != "" {
			if err == nil || err.Error() != tt.wrong {
				t.Errorf("%v: got %v, want %s", tt.flags, err, tt.wrong)
			}
			continue
		}
		if err != nil || l.Bucket != tt.bucket || l.Region != tt.region {
			t.Errorf("%v: bucket %q in %q, %v", tt.flags, l.Bucket, l.Region, err)
			continue
		}
		if (l.AppBucket == nil) != (tt.paths < 0) || l.AppBucket != nil && len(l.AppBucket.Paths) != tt.paths {
			t.Errorf("%v: the app's bucket is %+v", tt.flags, l.AppBucket)
		}
	}
	err := load(t, config.Sources{File: none}).RequireStore()
	if err == nil || !strings.Contains(err.Error(), none+" has no storage: run `amplify add storage`") {
		t.Errorf("no storage: %v", err)
	}
}

// TestAppsErrorsAreTheFiles: line and key of the file, as configuration errors.
func TestAppsErrorsAreTheFiles(t *testing.T) {
	for text, want := range map[string]string{
		"const c = { aws_project_region: 'r',\n aws_user_files_s3_bucket: `b` };\nexport default c": ":2: aws_user_files_s3_bucket: is a template string",
		"cache-size = '1GiB'\n[Storage]\nbucket = 7\n":                                              ":3: Storage.bucket: is a number, not a string; make it a string",
		"{}": ":1: is the configuration of an app that has nothing yet (an empty object); run `amplify push`",
	} {
		file := writeFile(t, text)
		_, err := config.Load(config.Sources{Getenv: env(nil), File: file})
		if err == nil || !strings.HasPrefix(err.Error(), file+want) {
			t.Errorf("got  %v\nwant %s%s", err, file, want)
		}
	}
}
