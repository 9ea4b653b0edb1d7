package perms

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/local"
	"github.com/s3levelfs/s3levelfs/tests/rig"
)

// customPrefixes are what an app may have chosen, used as they are.
func customPrefixes() map[string]map[string]string {
	return map[string]map[string]string{
		"with slashes":      {"public": "app/pub/", "protected": "app/prot/", "private": "app/priv/"},
		"without":           {"public": "pub", "protected": "prot", "private": "priv"},
		"spaces, unicode":   {"public": "für alle + 100%/", "protected": "geschützt & 日本/", "private": "ganz privat/é/"},
		"unicode, no slash": {"public": "ö ", "protected": "日本 +", "private": "privé "},
	}
}

// prefixed is a bucket with prefixes of an app's own, and the accounts that the policies are rendered for.
type prefixed struct {
	prefixes map[string]string
	server   *local.Server
	admin    store.Store
}

// TestCustomPrefixes: prefixes with and without slashes, with spaces and unicode, are used as they are by mount, commands and policies, for
// all three levels: the server, which knows the policies alone, refuses nothing that the mount tries.
func TestCustomPrefixes(t *testing.T) {
	people := []who{
		{"alice", "ALICEACCESS", "alice-secret-0123456789", aliceID},
		{"bob", "BOBACCESS", "bob-secret-0123456789", bobID},
		{"guest", "GUESTACCESS", "guest-secret-0123456789", ""},
	}
	for name, prefixes := range customPrefixes() {
		t.Run(name, func(t *testing.T) {
			p := &prefixed{prefixes: prefixes}
			var accounts []local.Account
			for _, w := range people {
				accounts = append(accounts, local.Account{Access: w.access, Secret: w.secret})
			}
			var err error
			p.server, err = local.Start(t.Context(), local.Config{
				Data: filepath.Join(t.TempDir(), "data"), Bucket: rig.Bucket, Listen: "127.0.0.1:0", Accounts: accounts, Policy: p.policy(t, people),
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = p.server.Close() })
			p.admin = rig.Client(t, p.server.Endpoint(), p.server.Credentials().Access, p.server.Credentials().Secret)
			p.owner(t, people[0])
			for _, w := range people[1:] {
				p.other(t, w)
			}
		})
	}
}

func (p *prefixed) flags() []string {
	var out []string
	for _, level := range slices.Sorted(maps.Keys(p.prefixes)) {
		out = append(out, "--"+level+"-prefix", p.prefixes[level])
	}
	return out
}

// policy is what `policy` prints for each account, together.
func (p *prefixed) policy(t *testing.T, people []who) string {
	t.Helper()
	var all struct {
		Version   string
		Statement []json.RawMessage
	}
	for _, w := range people {
		args := []string{"policy", "unauth"}
		if w.identity != "" {
			args = []string{"policy", "auth", "--identity-id", w.identity}
		}
		out, err := exec.CommandContext(t.Context(), rig.Bin, append(append(args, "--bucket", rig.Bucket, "--principal", w.access), p.flags()...)...).Output()
		if err != nil {
			t.Fatalf("policy of %s: %v", w.name, err)
		}
		var one struct {
			Version   string
			Statement []json.RawMessage
		}
		if err := json.Unmarshal(out, &one); err != nil {
			t.Fatal(err)
		}
		all.Version, all.Statement = one.Version, append(all.Statement, one.Statement...)
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// mount is that of an account; commands that it runs have the same prefixes. What the server refuses fails the test.
func (p *prefixed) mount(t *testing.T, w who) *rig.Mount {
	t.Helper()
	proxy := rig.StartProxy(t, p.server.Endpoint())
	env := []string{
		"AWS_ACCESS_KEY_ID=" + w.access, "AWS_SECRET_ACCESS_KEY=" + w.secret,
		"S3LEVELFS_BUCKET=" + rig.Bucket, "S3LEVELFS_ENDPOINT=" + proxy.Endpoint, "S3LEVELFS_PATH_STYLE=true",
	}
	if w.identity == "" {
		env = append(env, "S3LEVELFS_GUEST=true")
	} else {
		env = append(env, "S3LEVELFS_IDENTITY_ID="+w.identity)
	}
	for level, prefix := range p.prefixes {
		env = append(env, "S3LEVELFS_"+strings.ToUpper(level)+"_PREFIX="+prefix)
	}
	t.Cleanup(func() {
		for _, r := range proxy.Take() {
			if r.Status == 403 && !strings.Contains(r.Path, ".s3levelfs-probe-") {
				t.Errorf("%s was denied: %s %s %v", w.name, r.Method, r.Path, r.Query)
			}
		}
	})
	return rig.MountAt(t, t.TempDir(), env, "--metadata-ttl", "0s")
}

// keyOf is the key of a name in a level of alice's.
func (p *prefixed) keyOf(level, name string) string {
	if level == "public" {
		return p.prefixes[level] + name
	}
	return p.prefixes[level] + aliceID + "/" + name
}

// wantKeys compares the keys of the bucket, directories' markers left out.
func (p *prefixed) wantKeys(t *testing.T, what string, want ...string) {
	t.Helper()
	got := []string{}
	for page, err := range p.admin.List(t.Context(), "", store.ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Objects {
			if !strings.HasSuffix(o.Key, "/") {
				got = append(got, o.Key)
			}
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// owner does everything in each level, by the mount and by commands.
func (p *prefixed) owner(t *testing.T, w who) {
	t.Helper()
	m := p.mount(t, w)
	run := func(args ...string) string {
		t.Helper()
		out, stderr, code := m.Run(t, args...)
		if code != 0 {
			t.Errorf("%q: exit %d: %s", args, code, stderr)
		}
		return out
	}
	var kept []string
	for level, path := range map[string]string{"public": "public", "protected": "protected/me", "private": "private"} {
		dir := filepath.Join(m.Dir, path)
		for _, err := range []error{
			os.Mkdir(filepath.Join(dir, "dir"), 0o700),
			os.WriteFile(filepath.Join(dir, "dir", "f é"), []byte("by mount"), 0o600),
			os.WriteFile(filepath.Join(dir, "kept"), []byte("of "+level), 0o600),
			os.Rename(filepath.Join(dir, "dir", "f é"), filepath.Join(dir, "g é")),
		} {
			if err != nil {
				t.Fatalf("%s: %v\n%s", level, err, m.Log())
			}
		}
		run("sync", m.Dir)
		kept = append(kept, p.keyOf(level, "kept"))
		p.wantKeys(t, level+" after the mount", append(slices.Clone(kept), p.keyOf(level, "g é"))...)
		if out := run("cat", "--level", level, "g é"); out != "by mount" {
			t.Errorf("%s: cat gives %q", level, out)
		}
		run("mv", "--level", level, "g é", "h é")
		run("cp", "--level", level, "h é", "i é")
		run("rm", "--level", level, "h é")
		if text, err := os.ReadFile(filepath.Join(dir, "i é")); err != nil || string(text) != "by mount" {
			t.Errorf("%s: the mount reads %q, %v of what was copied", level, text, err)
		}
		var listed []struct{ Key string }
		if err := json.Unmarshal([]byte(run("ls", "--json", "--level", level, "i")), &listed); err != nil || len(listed) != 1 || listed[0].Key != "i é" {
			t.Errorf("%s: ls: %+v, %v", level, listed, err)
		}
		if err := os.Remove(filepath.Join(dir, "i é")); err != nil {
			t.Errorf("%s: %v", level, err)
		}
		run("sync", m.Dir)
		p.wantKeys(t, level+" at the end", kept...)
	}
	m.Unmount(t)
}

// other reads what alice shares, changes nothing of it, and does not find what is hers alone.
func (p *prefixed) other(t *testing.T, w who) {
	t.Helper()
	m := p.mount(t, w)
	for path, want := range map[string]string{"public/kept": "of public", "protected/" + aliceID + "/kept": "of protected"} {
		if text, err := os.ReadFile(filepath.Join(m.Dir, path)); err != nil || string(text) != want {
			t.Errorf("%s reads %q, %v of %s", w.name, text, err, path)
		}
	}
	if out, stderr, code := m.Run(t, "cat", "--owner", aliceID, "kept"); code != 0 || out != "of protected" {
		t.Errorf("%s: cat: exit %d: %q %s", w.name, code, out, stderr)
	}
	if err := os.WriteFile(filepath.Join(m.Dir, "protected", aliceID, "kept"), []byte("x"), 0o600); !errors.Is(err, unix.EACCES) {
		t.Errorf("%s writes into alice's: %v", w.name, err)
	}
	if _, err := os.Lstat(filepath.Join(m.Dir, "private", "kept")); !errors.Is(err, unix.ENOENT) {
		t.Errorf("%s finds a private file of alice's: %v", w.name, err)
	}
	m.Unmount(t)
}
