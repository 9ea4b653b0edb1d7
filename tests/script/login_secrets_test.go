package script

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/identity/cognitotest"
	"github.com/s3levelfs/s3levelfs/tests/rig"
)

// configureByFile has all that is known of the app come from its file, the client's secret included.
func (a *app) configureByFile(clientSecret string) {
	a.t.Helper()
	file := filepath.Join(a.t.TempDir(), "amplifyconfiguration.json")
	text := fmt.Sprintf(`{"UserAgent": "aws-amplify-cli/2.0", "auth": {"plugins": {"awsCognitoAuthPlugin": {
  "CredentialsProvider": {"CognitoIdentity": {"Default": {"PoolId": %q, "Region": "us-east-1"}}},
  "CognitoUserPool": {"Default": {"PoolId": %q, "AppClientId": %q, "AppClientSecret": %q, "Region": "us-east-1"}}}}},
  "storage": {"plugins": {"awsS3StoragePlugin": {"bucket": %q, "region": "us-east-1"}}}}`,
		cognitotest.IdentityPoolID, cognitotest.UserPoolID, cognitotest.ClientID, clientSecret, rig.Bucket)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		a.t.Fatal(err)
	}
	a.env = slices.DeleteFunc(a.env, func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return slices.Contains([]string{
			"S3LEVELFS_USER_POOL_ID", "S3LEVELFS_CLIENT_ID", "S3LEVELFS_IDENTITY_POOL_ID", "S3LEVELFS_BUCKET", "S3LEVELFS_CLIENT_SECRET",
		}, name)
	})
	a.env = append(a.env, "S3LEVELFS_CONFIG="+file, "S3LEVELFS_STATE_DIR="+filepath.Join(a.top, "state"))
}

// saySettings has every command speak that tells of settings, identities and rights, whatever it says.
func (a *app) saySettings() {
	a.t.Helper()
	if out := a.must("", "config", "show", "--all"); !strings.Contains(out, "app.client-secret") {
		a.t.Errorf("config show: %s", out)
	}
	a.must("", "config", "show", "--all", "--json")
	for _, command := range [][]string{{"whoami"}, {"doctor"}, {"access"}, {"status"}, {"spool", "ls"}} {
		a.run("", command...)
		a.run("", append(command, "--json")...)
	}
}

// TestNoSecretIsSeen looks for every secret that Cognito gave or got in logs at debug level, in what commands say, in arguments, in the names
// of all files, and in the contents of all but the one that keeps the login. The client's secret comes from the app's own file.
func TestNoSecretIsSeen(t *testing.T) {
	const clientSecret = "client-secret-0123456789"
	a := newApp(t, cognitotest.Config{ClientSecret: clientSecret, TokenLife: 2 * time.Second, CredentialsLife: 2 * time.Second, Rotate: true})
	a.configureByFile(clientSecret)
	for _, bad := range []string{"wr0ng-passw0rd\n", "\n", ""} {
		if out, code := a.run(bad, "login", "--password-stdin", "alice", "--log-level", "debug"); code == 0 {
			t.Fatalf("signed in with %q: %s", bad, out)
		}
	}
	a.must(alicePassword+"\n", "login", "--password-stdin", "--auth-flow", "password", "alice")
	a.must(alicePassword+"\n", "login", "--password-stdin", "--json", "--log-level", "debug", "alice")
	m := rig.MountAt(t, a.top, a.env, "--log-level", "debug")
	args, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(m.PID()), "cmdline"))
	if err != nil {
		t.Fatal(err)
	}
	write := func() {
		t.Helper()
		if err := os.WriteFile(filepath.Join(m.Dir, "public", "f"), []byte(time.Now().String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a.saySettings()
	n := a.fake.Calls("GetTokensFromRefreshToken")
	until(t, "two exchanges of refresh tokens", func() bool {
		write()
		a.must("", "sync")
		return a.fake.Calls("GetTokensFromRefreshToken") >= n+2
	})
	a.fake.Revoke("alice")
	until(t, "a login is needed", func() bool {
		write()
		l, paused := a.state()
		return l.Needed && paused != ""
	})
	a.saySettings()
	spooled := a.must("", "spool", "ls", "--json")
	if !strings.Contains(spooled, "public/f") {
		t.Errorf("nothing is in the spool that is looked through: %s", spooled)
	}
	a.run("", "umount", m.Dir, "--timeout", "1ms")
	log := m.Log()
	m.Kill()
	a.run("", "logout")
	a.must(alicePassword+"\n", "login", "--password-stdin", "alice") // what is looked at has a login in it
	seen := map[string]string{"the mount's arguments": string(args), "what commands say": a.said.String(), "the log": log}
	kept := 0
	err = filepath.WalkDir(a.top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		seen["names"] += path + "\n"
		if !d.Type().IsRegular() {
			return nil
		}
		text, err := os.ReadFile(path)
		if strings.Contains(path, "/identity/user-") && strings.HasSuffix(path, ".json") {
			kept++
			return err
		}
		seen[path] = string(text)
		return err
	})
	if err != nil || kept != 1 {
		t.Fatalf("%d logins kept, %v", kept, err)
	}
	secrets := append(a.fake.Secrets(), clientSecret)
	for where, text := range seen {
		for _, s := range secrets {
			if len(s) >= 8 && strings.Contains(text, s) { // shorter ones are codes, as times are
				t.Errorf("%s: a secret that begins with %.4q", where, s)
			}
		}
	}
	t.Logf("%d secrets looked for in %d places", len(secrets), len(seen))
}
