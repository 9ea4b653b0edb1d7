package script

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/identity/cognitotest"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/tests/rig"
)

const alicePassword = "Corr3ct-Horse!"

// app is a fake Cognito, a server and a user's home, for mounts.
type app struct {
	t      *testing.T
	top    string
	fake   *cognitotest.Server
	server *rig.Server
	env    []string
	said   strings.Builder // by all commands
}

func newApp(t *testing.T, cfg cognitotest.Config) *app {
	t.Helper()
	a := &app{t: t, top: t.TempDir(), fake: cognitotest.Start(t, cfg), server: rig.StartServer(t, filepath.Join(t.TempDir(), "data"))}
	for name, id := range map[string]string{"alice": aliceID, "bob": bobID} {
		a.fake.AddUser(cognitotest.User{Name: name, Password: alicePassword})
		a.fake.AddIdentity(id, name)
		a.fake.SetKeys(id, serverKeys(a.server))
	}
	a.env = signInEnv(a.fake, a.server)
	if cfg.ClientSecret != "" {
		a.env = append(a.env, "S3LEVELFS_CLIENT_SECRET="+cfg.ClientSecret)
	}
	return a
}

// run runs a command of the user's and gives what it said and its exit code.
func (a *app) run(stdin string, args ...string) (string, int) {
	a.t.Helper()
	cmd := exec.CommandContext(a.t.Context(), rig.Bin, args...)
	cmd.Env = append(append(os.Environ(), a.env...), "XDG_RUNTIME_DIR="+filepath.Join(a.top, "run"), "HOME="+a.top)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		a.t.Fatal(err)
	}
	a.said.Write(out)
	return string(out), cmd.ProcessState.ExitCode()
}

// must runs a command that has to succeed.
func (a *app) must(stdin string, args ...string) string {
	a.t.Helper()
	out, code := a.run(stdin, args...)
	if code != 0 {
		a.t.Fatalf("%s: exit %d: %s", args[0], code, out)
	}
	return out
}

func (a *app) login(name string) {
	a.t.Helper()
	a.must(alicePassword+"\n", "login", "--password-stdin", name)
}

// loginState is what the mount's status says of it.
type loginState struct {
	Needed bool   `json:"login_needed"`
	Error  string `json:"error"`
}

func (a *app) state() (l loginState, paused string) {
	a.t.Helper()
	var all []struct {
		Login   loginState
		Uploads struct{ Paused string }
	}
	if err := json.Unmarshal([]byte(a.must("", "status", "--json")), &all); err != nil || len(all) != 1 {
		a.t.Fatalf("status: %d mounts, %v", len(all), err)
	}
	return all[0].Login, all[0].Uploads.Paused
}

// TestLoginUnderAMount: credentials and tokens that live for seconds are renewed under a mount without an error; a login that is revoked keeps what
// is written, reads of what was read go on, status says what is needed, and after the login everything is uploaded without a remount.
func TestLoginUnderAMount(t *testing.T) {
	a := newApp(t, cognitotest.Config{TokenLife: 3 * time.Second, CredentialsLife: 3 * time.Second, Rotate: true})
	a.login("alice")
	m := rig.MountAt(t, a.top, a.env)
	dir := filepath.Join(m.Dir, "private")
	renewed := func() int { return a.fake.Calls("GetCredentialsForIdentity") }
	n := renewed()
	until(t, "three renewals under load", func() bool {
		if err := os.WriteFile(filepath.Join(dir, "one"), []byte(time.Now().String()), 0o600); err != nil {
			t.Fatal(err)
		}
		a.must("", "sync")
		return renewed() >= n+3
	})
	if err := os.WriteFile(filepath.Join(dir, "one"), []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	a.must("", "sync")
	events := a.watch(m.Dir)
	a.fake.Revoke("alice")
	until(t, "the credentials have expired", func() bool {
		if err := os.WriteFile(filepath.Join(dir, "two"), []byte(time.Now().String()), 0o600); err != nil {
			t.Fatalf("while nobody is signed in: %v\n%s", err, m.Log())
		}
		l, paused := a.state()
		return l.Needed && strings.Contains(l.Error, "s3levelfs login") && strings.Contains(paused, "s3levelfs login")
	})
	if out := a.must("", "status"); !strings.Contains(out, "login needed") {
		t.Errorf("status: %s", out)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "one")); err != nil || string(got) != "one" {
		t.Errorf("what was read before: %q, %v", got, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "two"), []byte("two"), 0o600); err != nil {
		t.Errorf("writing: %v", err)
	}
	a.login("bob") // somebody else's login is not for this mount
	if out, code := a.run("", "sync", "--timeout", "1ms"); code != 75 {
		t.Errorf("sync: exit %d: %s", code, out)
	}
	a.login("alice")
	a.must("", "sync")
	client := a.server.Client(t)
	if o, err := client.Head(t.Context(), "private/"+aliceID+"/two", store.Cond{}); err != nil || o.Size != 3 {
		t.Errorf("after the login the bucket has %d bytes, %v\n%s", o.Size, err, m.Log())
	}
	if l, paused := a.state(); l.Needed || paused != "" {
		t.Errorf("after the login: %+v %q", l, paused)
	}
	m.Unmount(t)
	if got := events(); strings.Join(only(got, "login-needed", "login", "end"), " ") != "login-needed login end" {
		t.Errorf("watch has told %q", got)
	}
}

// TestPurge: unsent data stops it, exit 75 with its count, and nothing is done; by force it goes, with the cache, and others' spools stay.
func TestPurge(t *testing.T) {
	a := newApp(t, cognitotest.Config{})
	proxy := rig.StartProxy(t, a.server.Endpoint)
	dirs := []string{"--state-dir", filepath.Join(a.top, "state"), "--cache-dir", filepath.Join(a.top, "cache")}
	partitions := func() (n int) {
		t.Helper()
		for _, d := range []string{"state", "cache"} {
			all, err := os.ReadDir(filepath.Join(a.top, d))
			if err != nil {
				t.Fatal(err)
			}
			n += len(all)
		}
		return n
	}
	a.login("bob")
	rig.MountAt(t, a.top, a.env, "--endpoint", proxy.Endpoint).Unmount(t)
	bobs := partitions()
	a.login("alice")
	m := rig.MountAt(t, a.top, a.env, "--endpoint", proxy.Endpoint)
	if err := os.WriteFile(filepath.Join(m.Dir, "private", "proved"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	a.must("", "sync")
	proxy.SetDown(true)
	if err := os.WriteFile(filepath.Join(m.Dir, "private", "unsent"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, code := a.run("", append([]string{"logout", "--purge", "--force"}, dirs...)...); code != 1 || !strings.Contains(out, "umount") {
		t.Errorf("while it is mounted: exit %d: %s", code, out)
	}
	m.Kill()
	before := partitions()
	out, code := a.run("", append([]string{"logout", "--purge"}, dirs...)...)
	if code != 75 || !strings.Contains(out, "1 change") || strings.Count(out, "\n") != 1 || partitions() != before {
		t.Errorf("exit %d: %s", code, out)
	}
	a.must("", "whoami") // nothing was done
	a.must("", append([]string{"logout", "--purge", "--force"}, dirs...)...)
	if n := partitions(); n != bobs || n == before {
		t.Errorf("%d partitions are left of %d, %d are bob's", n, before, bobs)
	}
	if out, code := a.run("", "whoami"); code != 77 {
		t.Errorf("whoami: exit %d: %s", code, out)
	}
}
