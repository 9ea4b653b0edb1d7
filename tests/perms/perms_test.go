// Package perms holds mounts of several identities against a server that
// enforces Amplify's role policies: what the mount allows the server allows,
// what the mount refuses it refuses before any request, and no request ever
// leaves the role's grants.
package perms

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/local"
	"github.com/s3levelfs/s3levelfs/tests/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

const (
	aliceID = "us-east-1:aaaaaaaa-2222-3333-4444-555555555555"
	bobID   = "us-east-1:bbbbbbbb-2222-3333-4444-555555555555"
)

// place is a directory of the mount with what may be done in it.
type place struct {
	path                      string
	list, get, write, mayFind bool // mayFind: the directory itself can be seen; without list and get no name in it can be
}

func placesOf(w who) []place {
	full := func(p string) place { return place{p, true, true, true, true} }
	readOnly := func(p string) place { return place{p, true, true, false, true} }
	places := []place{full("public"), {"uploads", false, false, true, true}}
	for _, id := range []string{aliceID, bobID} {
		if w.identity == id {
			places = append(places, full("protected/"+id))
		} else {
			places = append(places, readOnly("protected/"+id))
		}
	}
	if w.identity == "" {
		return append(places, place{path: "private"})
	}
	return append(places, full("private"))
}

// operation does one thing in a directory that holds the file "seed".
type operation struct {
	name string
	do   func(dir string) error
	want func(p place) error
}

// existing is what an operation on the seed gives: where nothing can be looked up,
// nothing is known to exist.
func existing(p place, ok bool) error {
	if !p.list && !p.get {
		return unix.ENOENT
	}
	return eacces(ok)
}

func eacces(ok bool) error {
	if ok {
		return nil
	}
	return unix.EACCES
}

func operations() []operation {
	seeded := func(dir string) string { return filepath.Join(dir, "seed") }
	return []operation{
		{"list", func(d string) error { _, err := os.ReadDir(d); return err }, func(p place) error { return eacces(p.list) }},
		{"read", func(d string) error { _, err := os.ReadFile(seeded(d)); return err }, func(p place) error { return existing(p, p.get) }},
		{"create", func(d string) error { return os.WriteFile(filepath.Join(d, "new"), []byte("x"), 0o644) }, func(p place) error { return eacces(p.write) }},
		{"overwrite", func(d string) error { return overwrite(seeded(d)) }, func(p place) error { return existing(p, p.write) }},
		{"mkdir", func(d string) error { return os.Mkdir(filepath.Join(d, "sub"), 0o755) }, func(p place) error { return eacces(p.write) }},
		{"rename", func(d string) error { return os.Rename(seeded(d), filepath.Join(d, "moved")) }, func(p place) error { return existing(p, p.write) }},
		{"unlink", func(d string) error { return removeOne(d) }, func(p place) error { return existing(p, p.write) }},
	}
}

// removeOne removes the seed, under whichever name it has by now.
func removeOne(dir string) error {
	err := os.Remove(filepath.Join(dir, "moved"))
	if errors.Is(err, unix.ENOENT) {
		err = os.Remove(filepath.Join(dir, "seed"))
	}
	return err
}

func overwrite(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString("changed")
	return errors.Join(err, f.Close())
}

func TestPermissionTable(t *testing.T) {
	top := t.TempDir()
	people := []who{
		{"alice", "ALICEACCESS", "alice-secret-0123456789", aliceID},
		{"bob", "BOBACCESS", "bob-secret-0123456789", bobID},
		{"guest", "GUESTACCESS", "guest-secret-0123456789", ""},
	}
	var accounts []local.Account
	for _, w := range people {
		accounts = append(accounts, local.Account{Access: w.access, Secret: w.secret})
	}
	server, err := local.Start(t.Context(), local.Config{
		Data: filepath.Join(top, "data"), Bucket: rig.Bucket, Listen: "127.0.0.1:0",
		Accounts: accounts, Policy: bucketPolicy(t, people),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	admin := rig.Client(t, server.Endpoint(), server.Credentials().Access, server.Credentials().Secret)
	cells := 0
	for _, w := range people {
		t.Run(w.name, func(t *testing.T) { cells += asIdentity(t, w, server.Endpoint(), admin) })
	}
	t.Logf("%d cells of the permission table hold", cells)
}

// asIdentity mounts as one identity and does every operation in every place.
func asIdentity(t *testing.T, w who, endpoint string, admin store.Store) (cells int) {
	for _, p := range []string{"public", "protected/" + aliceID, "protected/" + bobID, "uploads"} {
		seed(t, admin, p+"/")
	}
	if w.identity != "" {
		seed(t, admin, "private/"+w.identity+"/")
	}
	proxy := rig.StartProxy(t, endpoint)
	options := []string{"--bucket", rig.Bucket, "--endpoint", proxy.Endpoint, "--path-style", "--uploads", "--metadata-ttl", "0s"}
	if w.identity == "" {
		options = append(options, "--guest")
	} else {
		options = append(options, "--identity-id", w.identity)
	}
	m := rig.MountAt(t, t.TempDir(), []string{"AWS_ACCESS_KEY_ID=" + w.access, "AWS_SECRET_ACCESS_KEY=" + w.secret}, options...)
	walk(t, m.Dir, w)
	if me, err := os.Readlink(filepath.Join(m.Dir, "protected", "me")); w.identity != "" && (err != nil || me != w.identity) {
		t.Errorf("protected/me -> %q, %v", me, err)
	}
	for _, p := range placesOf(w) {
		dir := filepath.Join(m.Dir, p.path)
		if !p.mayFind {
			if _, err := os.Lstat(dir); !errors.Is(err, unix.ENOENT) {
				t.Errorf("%s: %v, want ENOENT", p.path, err)
			}
			cells++
			continue
		}
		for _, op := range operations() {
			cells++
			err := op.do(dir)
			if want := op.want(p); !errors.Is(err, want) {
				t.Errorf("%s in %s: %v, want %v", op.name, p.path, err, want)
			}
		}
		if err := os.Rename(filepath.Join(dir, "new"), filepath.Join(m.Dir, "public", "away")); p.write && p.get != (err == nil) {
			t.Errorf("rename out of %s: %v", p.path, err)
		}
		cells++
	}
	m.Unmount(t)
	judge(t, w, proxy.Take())
	return cells
}

// seed leaves one object below a prefix: "seed".
func seed(t *testing.T, admin store.Store, prefix string) {
	t.Helper()
	for page, err := range admin.List(t.Context(), prefix, store.ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Objects {
			if err := admin.Delete(t.Context(), o.Key, store.Cond{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	body := strings.NewReader("seed")
	if _, err := admin.Put(t.Context(), prefix+"seed", io.NewSectionReader(body, 0, body.Size()), store.Headers{}, store.Cond{}); err != nil {
		t.Fatal(err)
	}
}

// walk is what crawlers and people do: over everything that can be seen.
func walk(t *testing.T, dir string, w who) {
	t.Helper()
	copied := t.TempDir()
	for _, line := range []string{
		fmt.Sprintf("find %s -path %s/uploads -prune -o -print", dir, dir),
		fmt.Sprintf("ls -lR --ignore=uploads %s", dir),
		fmt.Sprintf("cp -r %s/public %s/protected %s", dir, dir, copied),
	} {
		cmd := exec.CommandContext(t.Context(), "timeout", "60", "sh", "-c", line)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s as %s: %v\n%s", line, w.name, err, out)
		}
	}
}

// judge holds every request against the role's grants: none may lie outside,
// and none but a probe may be refused.
func judge(t *testing.T, w who, requests []rig.Request) {
	t.Helper()
	outside, denied, probes := 0, 0, 0
	for _, r := range requests {
		if strings.Contains(r.Path, "/.s3levelfs-probe-") {
			probes++
			continue
		}
		if !granted(w, r) {
			outside++
			t.Errorf("%s asked outside its grants: %s %s %v", w.name, r.Method, r.Path, r.Query)
		}
		if r.Status == 403 {
			denied++
			t.Errorf("%s was denied: %s %s %v", w.name, r.Method, r.Path, r.Query)
		}
	}
	t.Logf("%s: %d requests, %d outside the grants, %d denied, %d probes", w.name, len(requests), outside, denied, probes)
}
