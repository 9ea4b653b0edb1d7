package script

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/identity/cognitotest"
	"github.com/s3levelfs/s3levelfs/internal/amplify"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/s3store"
	"github.com/s3levelfs/s3levelfs/tests/rig"
)

// appFile is a configuration file of an app as somebody mounts it: which bucket, which directories, and what may be done there.
type appFile struct {
	file    string   // below internal/amplify/testdata
	as      string   // who; "" = the identity that is given beside AWS credentials, "guest", or a user of the app's pools
	options []string // besides
	bucket  string

	dirs    map[string]fs.FileMode // of the root, all
	seeds   []string               // keys that are there before
	writes  map[string]string      // path in the mount -> key; written
	reads   []string               // paths of seeds that may be read
	refused map[string]error       // path -> what a write gives there
}

func (f appFile) name() string { return strings.TrimSuffix(f.file+" as "+f.as, " as ") }

const (
	appUser = "us-east-1:aaaaaaaa-2222-3333-4444-555555555555" // who has signed in, or is given by --identity-id
	appElse = "us-east-1:bbbbbbbb-2222-3333-4444-555555555555" // somebody else
)

// levelsOf is a file without rules of its own: Amplify's levels, with its prefixes.
func levelsOf(file, bucket, public, protected, private string) appFile {
	return appFile{
		file: file, bucket: bucket,
		dirs:  map[string]fs.FileMode{"public": 0o755, "protected": 0o555, "private": 0o700},
		seeds: []string{protected + appElse + "/theirs"},
		writes: map[string]string{
			"public/f": public + "f", "protected/me/f": protected + appUser + "/f", "private/f": private + appUser + "/f",
		},
		reads:   []string{"protected/" + appElse + "/theirs"},
		refused: map[string]error{"protected/" + appElse + "/theirs": unix.EACCES, "protected/" + appElse + "/new": unix.EACCES, "elsewhere": unix.EACCES},
	}
}

func levelFiles() []appFile {
	const public, protected, private = "public/", "protected/", "private/"
	return []appFile{
		levelsOf("gen2-small/amplify_outputs.json", "small", public, protected, private),
		levelsOf("web/aws-exports.js", "photoapp123456-dev", public, protected, private),
		levelsOf("web-json/amplifyconfiguration.json", "flatjson-prod", public, protected, private),
		levelsOf("web-ts/aws-exports.ts", "typescript-app", public, protected, private),
		levelsOf("web-commonjs/aws-exports.js", "commonjs", public, protected, private),
		levelsOf("web-testing/aws-exports.js", "mock-bucket", public, protected, private),
		levelsOf("mobile/amplifyconfiguration.json", "mobileapp-files", public, protected, private),
		levelsOf("flutter/amplifyconfiguration.dart", "flutter-files", public, protected, private),
		levelsOf("native/awsconfiguration.json", "native-files", public, protected, private),
		levelsOf("manual/configure.js", "manual-bucket", "", protected, "myPrivatePrefix"),
		levelsOf("manual-flat/config.json", "flat-storage", public, "prot/", private),
		levelsOf("manual-toml/app.toml", "toml-bucket", "shared/", "", private),
	}
}

func ruleFiles() []appFile {
	const gen2, media = "gen2/amplify_outputs.json", "amplify-shop-dev-mediabucket1234-xyz"
	seeds := []string{"public/seed", "protected/" + appElse + "/theirs", "admin/seed", "private/seed"}
	signedIn := appFile{
		file: gen2, bucket: media, seeds: seeds,
		dirs:   map[string]fs.FileMode{"public": 0o755, "protected": 0o555},
		writes: map[string]string{"public/f": "public/f", "protected/me/f": "protected/" + appUser + "/f"},
		reads:  []string{"public/seed", "protected/" + appElse + "/theirs"},
		refused: map[string]error{
			"protected/" + appElse + "/theirs": unix.EACCES, "protected/" + appElse + "/new": unix.EACCES,
			"admin/seed": unix.ENOENT, "private/seed": unix.ENOENT,
		},
	}
	as := func(name string) appFile { f := signedIn; f.as = name; return f }
	secondBucket := levelsOf(gen2, "amplify-shop-dev-archivebucket99-xyz", "public/", "protected/", "private/")
	secondBucket.options = []string{"--storage-bucket", "archive"}
	v6Backup := levelsOf("manual-v6/amplify.ts", "v6-backup", "public/", "protected/", "private/")
	v6Backup.options = []string{"--storage-bucket", "backup"}
	mobile := levelsOf("mobile/amplifyconfiguration.json", "mobileapp-files", "public/", "protected/", "private/")
	mobile.as = "alice"
	return []appFile{
		signedIn, as("alice"), secondBucket, v6Backup, mobile,
		as("edith"), // of a group without rules: those of all who have signed in
		{
			file: gen2, as: "adam", bucket: media, seeds: seeds, // of a group: its rules alone
			dirs: map[string]fs.FileMode{"admin": 0o700}, reads: []string{"admin/seed"}, writes: map[string]string{"admin/f": "admin/f"},
			refused: map[string]error{"public/seed": unix.ENOENT, "protected/me/f": unix.ENOENT, "elsewhere": unix.EACCES},
		},
		{
			file: gen2, as: "guest", bucket: media, seeds: seeds,
			dirs: map[string]fs.FileMode{"public": 0o555}, reads: []string{"public/seed"},
			refused: map[string]error{"public/seed": unix.EACCES, "public/new": unix.EACCES, "admin/seed": unix.ENOENT},
		},
		{
			file: "gen2-dart/amplify_outputs.dart", bucket: "flutter-gen2", seeds: []string{"private/" + appUser + "/seed"},
			dirs: map[string]fs.FileMode{"private": 0o300}, reads: []string{"private/seed"},
			writes: map[string]string{"private/f": "private/" + appUser + "/f"}, refused: map[string]error{"public/f": unix.ENOENT, "elsewhere": unix.EACCES},
		},
		{
			file: "manual-v6/amplify.ts", bucket: "v6-media", options: []string{"--guest"}, seeds: []string{"media/seed"},
			dirs: map[string]fs.FileMode{"media": 0o111}, reads: []string{"media/seed"}, refused: map[string]error{"media/seed": unix.EACCES, "media/new": unix.EACCES},
		},
	}
}

// TestAppFilesAreMounted: each configuration file of an app, in all its shapes, mounts its bucket with the directories, modes and rights that it means, for
// who has signed in, a member of a group and a guest; nothing of it is told twice but where the server is.
func TestAppFilesAreMounted(t *testing.T) {
	s := newAppStage(t)
	files, cells := map[string]bool{}, 0
	for _, f := range append(levelFiles(), ruleFiles()...) {
		t.Run(f.name(), func(t *testing.T) { s.mounts(t, f) })
		files[f.file] = true
		cells += len(f.dirs) + len(f.reads) + len(f.writes) + len(f.refused)
	}
	found, err := filepath.Glob("../../internal/amplify/testdata/*/*")
	if err != nil || len(found) != len(files) {
		t.Fatalf("%d files were mounted of %d, %v", len(files), len(found), err)
	}
	t.Logf("%d files in %d mounts, %d rights", len(files), len(levelFiles())+len(ruleFiles()), cells)
}

// appStage is a server that has the buckets of all files.
type appStage struct {
	top    string // of the homes: that of each test has its name, which is too long for a socket
	homes  int
	server *rig.Server
	owner  map[string]store.Store // by bucket
}

func newAppStage(t *testing.T) *appStage {
	t.Helper()
	return &appStage{top: t.TempDir(), server: rig.StartServer(t, filepath.Join(t.TempDir(), "data")), owner: map[string]store.Store{}}
}

// bucket makes it, and gives its owner's view.
func (s *appStage) bucket(t *testing.T, name string) store.Store {
	t.Helper()
	if s.owner[name] != nil {
		return s.owner[name]
	}
	k := serverKeys(s.server)
	b, err := s3store.New(t.Context(), s3store.Config{
		Bucket: name, Endpoint: s.server.Endpoint, Region: "us-east-1", PathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(k.Access, k.Secret, ""),
	})
	if err == nil {
		err = b.CreateBucket(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	s.owner[name] = b
	return b
}

// pools are those of a file, with people in them. They give everybody the server's own keys: what is refused the mount refuses.
func (s *appStage) pools(t *testing.T, file string) *cognitotest.Server {
	t.Helper()
	app, err := amplify.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	fake := cognitotest.Start(t, cognitotest.Config{
		UserPool: app.UserPool.ID, Client: app.UserPool.ClientID, ClientSecret: app.UserPool.ClientSecret.Reveal(), IdentityPool: app.IdentityPool.ID,
		Guests: app.Guests == amplify.GuestsAllowed,
	})
	for name, groups := range map[string][]string{"alice": nil, "adam": {"editors", "admin"}, "edith": {"editors"}} {
		u := cognitotest.User{Name: name, Password: alicePassword, Groups: groups}
		if groups != nil {
			u.PreferredRole = "arn:aws:iam::1:role/of-a-group"
		}
		fake.AddUser(u)
	}
	return fake
}

// signIn is what somebody does before mounting; it gives the environment of the mount.
func (s *appStage) signIn(t *testing.T, f appFile, file, top string) []string {
	t.Helper()
	if f.as == "" {
		return s.server.Env
	}
	fake := s.pools(t, file)
	a := &app{t: t, top: top, fake: fake, server: s.server, env: []string{
		"S3LEVELFS_USER_POOL_ENDPOINT=" + fake.URL, "S3LEVELFS_IDENTITY_POOL_ENDPOINT=" + fake.URL,
		"DBUS_SESSION_BUS_ADDRESS=", "AWS_EC2_METADATA_DISABLED=true",
	}}
	fake.SetKeys("", serverKeys(s.server))
	if f.as == "guest" {
		return append(a.env, "S3LEVELFS_GUEST=true")
	}
	fake.AddIdentity(appUser, f.as)
	a.must(alicePassword+"\n", "login", "--config", file, "--password-stdin", f.as)
	return a.env
}

func (s *appStage) mounts(t *testing.T, f appFile) {
	t.Helper()
	owner := s.bucket(t, f.bucket)
	for _, key := range f.seeds {
		if _, err := owner.Put(t.Context(), key, rig.Body(key), store.Headers{}, store.Cond{}); err != nil {
			t.Fatal(err)
		}
	}
	file, err := filepath.Abs(filepath.Join("../../internal/amplify/testdata", f.file))
	if err != nil {
		t.Fatal(err)
	}
	s.homes++
	top := filepath.Join(s.top, strconv.Itoa(s.homes))
	env := s.signIn(t, f, file, top)
	options := []string{"--config", file, "--endpoint", s.server.Endpoint, "--region", "us-east-1", "--path-style"}
	if f.as == "" {
		options = append(options, "--identity-id", appUser)
	}
	m := rig.MountAt(t, top, env, append(options, f.options...)...)
	root, err := os.ReadDir(m.Dir)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]fs.FileMode{}
	for _, e := range root {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		got[e.Name()] = info.Mode().Perm()
	}
	if !maps.Equal(got, f.dirs) {
		t.Errorf("the root has %v, want %v", got, f.dirs)
	}
	for _, path := range f.reads {
		if _, err := os.ReadFile(filepath.Join(m.Dir, path)); err != nil {
			t.Error(err)
		}
	}
	for path, key := range f.writes {
		if err := os.WriteFile(filepath.Join(m.Dir, path), []byte(key), 0o600); err != nil {
			t.Error(err)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(f.refused)) {
		if err := os.WriteFile(filepath.Join(m.Dir, path), nil, 0o600); !errors.Is(err, f.refused[path]) {
			t.Errorf("write of %s: %v, want %v", path, err, f.refused[path])
		}
	}
	m.Unmount(t)
	for path, key := range f.writes {
		if o, err := owner.Head(t.Context(), key, store.Cond{}); err != nil || o.Size != int64(len(key)) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
