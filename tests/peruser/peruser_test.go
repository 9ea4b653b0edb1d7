package peruser

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/identity/cognitotest"
	"github.com/s3levelfs/s3levelfs/tests/rig"
)

// TestPrivateIsEachUsersOwn: one path, and each user's own files behind it, in the mount and at the server; who has no login is a guest.
func TestPrivateIsEachUsersOwn(t *testing.T) {
	m := newMachine(t)
	m.login(alice, "alice")
	m.login(bob, "bob")
	m.start()
	file := m.path("private/file")
	m.must(alice, "echo alices > "+file)
	m.must(bob, "echo bobs > "+file)
	if a, b := m.must(alice, "cat "+file), m.must(bob, "cat "+file); a != "alices" || b != "bobs" {
		t.Errorf("alice reads %q, bob %q", a, b)
	}
	m.must(alice, "echo for all > "+m.path("public/shared"))
	if _, stderr, code := m.front.Run(t, "sync"); code != 0 {
		t.Fatalf("sync: exit %d: %s", code, stderr)
	}
	if a, b := m.object("private/"+aliceID+"/file"), m.object("private/"+bobID+"/file"); a != 7 || b != 5 {
		t.Errorf("the bucket has %d bytes of alice's, %d of bob's", a, b)
	}
	for _, uid := range []int{0, carol} {
		if got := m.must(uid, "cat "+m.path("public/shared")); got != "for all" {
			t.Errorf("guest %d reads %q", uid, got)
		}
		m.refused(uid, "ls "+m.path("private/"), "No such file")
		m.refused(uid, "cat "+m.path("protected/"+aliceID+"/x"), "No such file")
		if s := m.own(uid); !s.Login.Guest || s.Mountpoint != m.user(uid).Mountpoint {
			t.Errorf("%d: %+v", uid, s)
		}
	}
	if s := m.own(alice); s.Login.Guest || s.Identity != aliceID || s.PID == m.own(bob).PID {
		t.Errorf("alice: %+v", s)
	}
	if a, b := m.own(0).Identity, m.own(carol).Identity; a == b || a == "" {
		t.Errorf("two guests are %q and %q", a, b)
	}
	m.front.Unmount(t)
}

// TestTargetsInTurn: the kernel keeps nobody's target for somebody else, whoever asked last.
func TestTargetsInTurn(t *testing.T) {
	m := newMachine(t)
	m.start()
	seen := map[string]int{}
	for range 4 {
		for _, uid := range []int{alice, bob, 0, carol} {
			target := m.must(uid, "readlink "+m.path("private"))
			if !strings.HasSuffix(target, fmt.Sprintf("/%d/private", uid)) {
				t.Errorf("%d is led to %s", uid, target)
			}
			seen[target]++
		}
	}
	t.Logf("targets: %v", seen)
	if len(seen) != 4 {
		t.Errorf("%d targets", len(seen))
	}
	if got := m.must(bob, "ls "+m.front.Dir); got != "private\nprotected\npublic" {
		t.Errorf("names: %q", got)
	}
	m.refused(stranger, "ls "+m.path("public/"), "Permission denied")
	if log := m.front.Log(); !strings.Contains(log, "4004") || !strings.Contains(log, "has no account") {
		t.Errorf("log: %s", log)
	}
	m.refused(bob, "touch "+m.path("new"), "Read-only")
	m.front.Unmount(t)
}

// TestNobodyElseGetsIn: the kernel refuses a user's mount to all others, root included.
func TestNobodyElseGetsIn(t *testing.T) {
	m := newMachine(t)
	m.login(alice, "alice")
	m.start()
	m.must(alice, "mkdir -m 777 "+m.path("private/open"))
	inner := m.user(alice).Mountpoint
	for _, uid := range []int{bob, stranger, 0} {
		for _, path := range []string{"", "/private", "/private/open", "/public"} {
			m.refused(uid, "ls "+inner+path, "Permission denied")
		}
		m.refused(uid, "stat "+inner+"/private", "Permission denied")
	}
	m.front.Unmount(t)
}

// TestNothingOfRootsGetsOut: a user's process has the user's ids and groups, and no variable of the front's that may be a secret.
func TestNothingOfRootsGetsOut(t *testing.T) {
	m := newMachine(t)
	m.login(alice, "alice")
	m.start()
	m.must(alice, "ls "+m.path("public/"))
	proc := fmt.Sprintf("/proc/%d/", m.own(alice).PID)
	seen := ""
	for _, name := range []string{"cmdline", "environ", "status"} {
		text, err := os.ReadFile(proc + name)
		must(t, err)
		seen += strings.ReplaceAll(string(text), "\x00", "\n")
	}
	for _, want := range []string{"Uid:\t4001\t4001\t4001\t4001", "Gid:\t4001\t4001\t4001\t4001", "Groups:\t4001", "CapEff:\t0000000000000000", "HOME=" + m.home(alice), "--memory=16777216"} {
		if !strings.Contains(seen, want) {
			t.Errorf("%q is not in\n%s", want, seen)
		}
	}
	for _, secret := range append(m.fake.Secrets(), rootsSecret, "ROOTACCESS", "AWS_ACCESS_KEY_ID") {
		if len(secret) >= 8 && strings.Contains(seen, secret) {
			t.Errorf("a secret that begins with %.4q", secret)
		}
	}
	info, err := os.Stat(filepath.Join(m.top, "state", "4001"))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("state: %v, %v", info.Mode(), err)
	}
	m.front.Unmount(t)
}

// TestLoginOfAGuest takes effect at the next start, which is at once after the user's own umount; the guest's mount is not touched.
func TestLoginOfAGuest(t *testing.T) {
	m := newMachine(t)
	m.start()
	m.must(bob, "echo x > "+m.path("public/x"))
	guest := m.own(bob)
	m.login(bob, "bob")
	m.must(bob, "cat "+m.path("public/x"))
	if now := m.own(bob); !now.Login.Guest || now.PID != guest.PID {
		t.Errorf("the guest's mount: %+v, now %+v", guest, now)
	}
	m.must(bob, rig.Bin+" umount "+guest.Mountpoint)
	m.must(bob, "echo mine > "+m.path("private/x"))
	if now := m.own(bob); now.Login.Guest || now.Identity != bobID {
		t.Errorf("after the login: %+v", now)
	}
	m.front.Unmount(t)
	if n := m.object("private/" + bobID + "/x"); n != 5 {
		t.Errorf("the bucket has %d bytes", n)
	}
}

// TestLoginThatEnded is EACCES, not a guest, and the log says what to do.
func TestLoginThatEnded(t *testing.T) {
	m := newMachine(t)
	m.fake.Configure(func(c *cognitotest.Config) { c.TokenLife = time.Second }) // so that the next mount needs new ones
	m.login(alice, "alice")
	m.fake.Revoke("alice")
	until(t, "the login has ended", func() bool { _, err := m.as(alice, rig.Bin+" ls"); return err != nil })
	m.start()
	m.refused(alice, "ls "+m.path("public/"), "Permission denied")
	if log := m.front.Log(); !strings.Contains(log, "s3levelfs login") || !strings.Contains(log, "4001") {
		t.Errorf("log: %s", log)
	}
	if u := m.user(alice); u.State != "failed" || !strings.Contains(u.Error, "s3levelfs login") {
		t.Errorf("status: %+v", u)
	}
	m.front.Unmount(t)
}

// TestOneTooMany: one user more than may is "Too many users", said once in the log, until somebody's mount has ended.
func TestOneTooMany(t *testing.T) {
	m := newMachine(t)
	m.start("--per-user-max", "1", "--memory", "16MiB")
	m.must(alice, "ls "+m.path("public/"))
	for range 3 {
		m.refused(bob, "ls "+m.path("public/"), "Too many users")
	}
	if n := strings.Count(m.front.Log(), "--per-user-max"); n != 1 {
		t.Errorf("said %d times\n%s", n, m.front.Log())
	}
	m.must(alice, rig.Bin+" umount "+m.own(alice).Mountpoint)
	until(t, "alice's mount has gone", func() bool { return m.user(alice).State == "" })
	m.must(bob, "ls "+m.path("public/"))
	m.front.Unmount(t)
}

// TestAppWithPaths: the links are the tops of the app's paths, and each user's mount has the app's rules for that user.
func TestAppWithPaths(t *testing.T) {
	m := newMachine(t)
	m.login(alice, "alice")
	file := m.top + "/amplify_outputs.json"
	must(t, os.WriteFile(file, fmt.Appendf(nil, `{
  "version": "1.4",
  "auth": { "user_pool_id": %q, "aws_region": "us-east-1", "user_pool_client_id": %q, "identity_pool_id": %q },
  "storage": { "aws_region": "us-east-1", "bucket_name": %q, "buckets": [ { "name": "media", "bucket_name": %q, "aws_region": "us-east-1", "paths": {
    "public/pictures/*": { "guest": ["get", "list"], "authenticated": ["get", "list", "write", "delete"] },
    "private/${cognito-identity.amazonaws.com:sub}/*": { "entityidentity": ["get", "list", "write", "delete"] },
    "admin/*": { "groupsadmin": ["get", "list"] } } } ] }
}`, cognitotest.UserPoolID, cognitotest.ClientID, cognitotest.IdentityPoolID, rig.Bucket, rig.Bucket), 0o644))
	must(t, os.Chmod(file, 0o644))
	m.start("--config", file)
	if got := m.must(alice, "ls "+m.front.Dir); got != "admin\nprivate\npublic" {
		t.Errorf("names: %q", got)
	}
	m.must(alice, "echo mine > "+m.path("private/x")+" && echo all > "+m.path("public/pictures/x")+" && "+rig.Bin+" sync")
	if got := m.must(carol, "cat "+m.path("public/pictures/x")); got != "all" {
		t.Errorf("a guest reads %q", got)
	}
	m.refused(carol, "touch "+m.path("public/pictures/y"), "Permission denied")
	m.refused(carol, "ls "+m.path("private/"), "No such file")
	m.refused(alice, "ls "+m.path("admin/"), "No such file")
	m.front.Unmount(t)
}
