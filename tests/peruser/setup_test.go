// Package peruser holds `mount --per-user` to its word, on real mounts, with users of the machine who are not root, and a server that
// enforces each identity's rights.
package peruser

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/identity/cognitotest"
	"github.com/s3levelfs/s3levelfs/internal/rolepolicy"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/local"
	"github.com/s3levelfs/s3levelfs/tests/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

const (
	aliceID  = "us-east-1:aaaaaaaa-2222-3333-4444-555555555555"
	bobID    = "us-east-1:bbbbbbbb-2222-3333-4444-555555555555"
	password = "Corr3ct-Horse!"

	alice    = 4001 // in /etc/passwd
	bob      = 4002
	carol    = 4003 // never signs in
	stranger = 4004 // not in /etc/passwd
)

// rootsSecret is in the front's environment, and is to be nowhere else.
const rootsSecret = "roots-own-secret-0123456789"

// machine is a machine with users, a Cognito, a server where each identity has an account of its own, and a front.
type machine struct {
	t     *testing.T
	top   string
	fake  *cognitotest.Server
	proxy *rig.Proxy
	admin store.Store
	front *rig.Mount
	env   []string // of users: the app's pools
}

// newMachine makes users, /run and a device that users may open, all of them in this test's mount namespace alone.
func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{t: t}
	must(t, os.Chmod(filepath.Dir(rig.Bin), 0o711)) // users run it
	mountOver(t, "tmpfs", "/run", "tmpfs", 0, "mode=755")
	m.top = "/run/machine"
	for _, dir := range []string{m.top, m.top + "/home", "/run/user"} {
		must(t, os.Mkdir(dir, 0o711))
	}
	must(t, unix.Mknod(m.top+"/fuse", unix.S_IFCHR|0o666, int(unix.Mkdev(10, 229))))
	must(t, os.Chmod(m.top+"/fuse", 0o666))
	mountOver(t, m.top+"/fuse", "/dev/fuse", "", unix.MS_BIND, "")
	passwd := "root:x:0:0::" + m.home(0) + ":/bin/sh\n"
	for uid, name := range map[int]string{0: "", alice: "alice", bob: "bob", carol: "carol", stranger: ""} {
		if name != "" {
			passwd += fmt.Sprintf("%s:x:%d:%d::%s:/bin/sh\n", name, uid, uid, m.home(uid))
		}
		for _, dir := range []string{m.home(uid), fmt.Sprintf("/run/user/%d", uid)} {
			must(t, errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, uid, uid)))
		}
	}
	must(t, os.WriteFile(m.top+"/passwd", []byte(passwd), 0o644))
	must(t, os.Chmod(m.top+"/passwd", 0o644))
	mountOver(t, m.top+"/passwd", "/etc/passwd", "", unix.MS_BIND, "")
	m.serve()
	t.Cleanup(m.killAll)
	return m
}

func (m *machine) home(uid int) string { return fmt.Sprintf("%s/home/%d", m.top, uid) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mountOver(t *testing.T, source, target, kind string, flags uintptr, data string) {
	t.Helper()
	must(t, unix.Mount(source, target, kind, flags, data))
	t.Cleanup(func() { _ = unix.Unmount(target, unix.MNT_DETACH) })
}

// serve starts Cognito and a server with an account for each identity, and one for all guests.
func (m *machine) serve() {
	t := m.t
	t.Helper()
	people := []struct{ access, secret, identity string }{
		{"ALICEACCESS", "alice-secret-0123456789", aliceID},
		{"BOBACCESS", "bob-secret-0123456789", bobID},
		{"GUESTACCESS", "guest-secret-0123456789", ""},
	}
	guest := people[2]
	m.fake = cognitotest.Start(t, cognitotest.Config{Guests: true, GuestKeys: cognitotest.Keys{Access: guest.access, Secret: guest.secret}})
	var accounts []local.Account
	var docs []rolepolicy.Document
	for i, p := range people {
		accounts = append(accounts, local.Account{Access: p.access, Secret: p.secret})
		role := rolepolicy.Auth
		if p.identity == "" {
			role = rolepolicy.Guest
		} else {
			name := []string{"alice", "bob"}[i]
			m.fake.AddUser(cognitotest.User{Name: name, Password: password})
			m.fake.AddIdentity(p.identity, name)
			m.fake.SetKeys(p.identity, cognitotest.Keys{Access: p.access, Secret: p.secret})
		}
		d, err := rolepolicy.New(role, rolepolicy.Options{
			Bucket: rig.Bucket, Can: levels.Get | levels.Put | levels.Delete, IdentityID: p.identity, Principals: []string{p.access},
		})
		must(t, err)
		docs = append(docs, d)
	}
	policy, err := json.Marshal(rolepolicy.Merge(docs...))
	must(t, err)
	server, err := local.Start(t.Context(), local.Config{
		Data: filepath.Join(t.TempDir(), "data"), Bucket: rig.Bucket, Listen: "127.0.0.1:0", Accounts: accounts, Policy: string(policy),
	})
	must(t, err)
	t.Cleanup(func() { _ = server.Close() })
	m.proxy = rig.StartProxy(t, server.Endpoint())
	m.admin = rig.Client(t, server.Endpoint(), server.Credentials().Access, server.Credentials().Secret)
	m.env = []string{
		"S3LEVELFS_USER_POOL_ID=" + cognitotest.UserPoolID, "S3LEVELFS_CLIENT_ID=" + cognitotest.ClientID,
		"S3LEVELFS_IDENTITY_POOL_ID=" + cognitotest.IdentityPoolID,
		"S3LEVELFS_USER_POOL_ENDPOINT=" + m.fake.URL, "S3LEVELFS_IDENTITY_POOL_ENDPOINT=" + m.fake.URL,
		"S3LEVELFS_BUCKET=" + rig.Bucket, "S3LEVELFS_ENDPOINT=" + m.proxy.Endpoint,
		"DBUS_SESSION_BUS_ADDRESS=", "AWS_EC2_METADATA_DISABLED=true",
	}
}

// start starts the front.
func (m *machine) start(options ...string) {
	m.t.Helper()
	env := append([]string{"AWS_ACCESS_KEY_ID=ROOTACCESS", "AWS_SECRET_ACCESS_KEY=" + rootsSecret, "HTTP_PROXY=http://who:" + rootsSecret + "@127.0.0.1:1", "NO_PROXY=127.0.0.1"}, m.env...)
	m.front = rig.MountAt(m.t, m.top, env, append([]string{"--per-user", "--per-user-dir", m.top + "/users"}, options...)...)
	must(m.t, os.Chmod(m.top+"/run", 0o700))
}

// path is a path in the front.
func (m *machine) path(rest string) string { return m.front.Dir + "/" + rest }

// killAll ends what a failed test has left: the processes that have this machine's directory in their arguments.
func (m *machine) killAll() {
	procs, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, p := range procs {
		args, err := os.ReadFile(p)
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(p)))
		if err == nil && bytes.HasPrefix(args, []byte(rig.Bin)) && bytes.Contains(args, []byte(m.top)) {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
	dirs, _ := filepath.Glob(m.top + "/users/*/*")
	for _, d := range dirs {
		_ = unix.Unmount(d, unix.MNT_DETACH)
	}
}

// command is a command of a user's.
func (m *machine) command(uid int, name string, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), rig.CommandTimeout)
	m.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = "/"
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + m.home(uid), fmt.Sprintf("XDG_RUNTIME_DIR=/run/user/%d", uid)}, m.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}, Pdeathsig: unix.SIGKILL}
	return cmd
}

// as runs a shell command as a user.
func (m *machine) as(uid int, line string) (string, error) {
	out, err := m.command(uid, "sh", "-c", line).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// must is as for what has to succeed.
func (m *machine) must(uid int, line string) string {
	m.t.Helper()
	out, err := m.as(uid, line)
	if err != nil {
		m.t.Fatalf("as %d: %s: %v: %s\n%s", uid, line, err, out, m.front.Log())
	}
	return out
}

// refused is as for what has to fail, with a word in what it says.
func (m *machine) refused(uid int, line, word string) {
	m.t.Helper()
	if out, err := m.as(uid, line); err == nil || !strings.Contains(out, word) {
		m.t.Errorf("as %d: %s: %v: %q, want %q\n%s", uid, line, err, out, word, m.front.Log())
	}
}

// login signs a user of the machine in.
func (m *machine) login(uid int, name string) {
	m.t.Helper()
	cmd := m.command(uid, rig.Bin, "login", "--password-stdin", name)
	cmd.Stdin = strings.NewReader(password + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		m.t.Fatalf("login: %v: %s", err, out)
	}
}

// user is what the front's status says of a user's mount; zero when there is none.
type user struct {
	UID         int
	State       string
	Mountpoint  string
	Since, Used time.Time
	Open        int
	Error       string
	Left        struct{ Files int }
}

func (m *machine) user(uid int) user {
	m.t.Helper()
	s := rig.Status[struct {
		PerUser struct{ Users []user } `json:"per_user"`
	}](m.t, m.front)
	for _, u := range s.PerUser.Users {
		if u.UID == uid {
			return u
		}
	}
	return user{}
}

// own is what a user's own status says of the user's mount.
type own struct {
	PID        int
	Identity   string `json:"identity_id"`
	Mountpoint string
	Login      struct{ Guest bool }
}

func (m *machine) own(uid int) own {
	m.t.Helper()
	var all []own
	out := m.must(uid, rig.Bin+" status --json")
	if err := json.Unmarshal([]byte(out), &all); err != nil || len(all) != 1 {
		m.t.Fatalf("status of %d: %d mounts, %v: %s", uid, len(all), err, out)
	}
	return all[0]
}

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(rig.CommandTimeout); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %s: %s", rig.CommandTimeout, what)
		}
	}
}

// object reads an object past all mounts, "" when there is none.
func (m *machine) object(key string) int64 {
	o, err := m.admin.Head(m.t.Context(), key, store.Cond{})
	if err != nil {
		return -1
	}
	return o.Size
}
