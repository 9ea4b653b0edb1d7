package local_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/local"
	"github.com/s3levelfs/s3levelfs/store/s3store"
)

func start(t *testing.T, cfg local.Config) *local.Server {
	t.Helper()
	s, err := local.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func client(t *testing.T, endpoint, access, secret string) *s3store.Store {
	t.Helper()
	st, err := s3store.New(t.Context(), s3store.Config{
		Bucket: local.DefaultBucket, Region: local.Region, Endpoint: endpoint, PathStyle: true,
		Credentials: s3store.Static(access, secret, ""), MaxAttempts: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return st
}

// TestStartErrors: what is wrong is told in one line that names it.
func TestStartErrors(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	busy, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = busy.Close() }()
	missing := filepath.Join(t.TempDir(), "no", "such")
	for want, cfg := range map[string]local.Config{
		"no data directory":        {},
		`bucket "../x"`:            {Data: t.TempDir(), Bucket: "../x"},
		missing:                    {Data: missing},
		"not a directory":          {Data: file},
		"address already in use":   {Data: t.TempDir(), Listen: busy.Addr().String()},
		"of this machine alone":    {Data: t.TempDir(), Listen: "0.0.0.0:0"},
		"HOST:PORT":                {Data: t.TempDir(), Listen: "20005"},
		"policy of bucket":         {Data: t.TempDir(), Policy: `{"Version":"x"}`},
		`account "x": role "king"`: {Data: t.TempDir(), Accounts: []local.Account{{Access: "x", Secret: "y", Role: "king"}}},
		"secret":                   {Data: t.TempDir(), Accounts: []local.Account{{Access: "x"}}},
	} {
		began := time.Now()
		s, err := local.Start(t.Context(), cfg)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%+v: %v, %v; want %q", cfg, s, err, want)
		}
		if time.Since(began) > 10*time.Second {
			t.Errorf("%q took %v", want, time.Since(began))
		}
	}
}

// TestNotWritable uses a kernel filesystem that refuses root too.
func TestNotWritable(t *testing.T) {
	t.Parallel()
	_, err := local.Start(t.Context(), local.Config{Data: "/proc/self"})
	if err == nil || !strings.Contains(err.Error(), "data directory /proc/self") || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}
}

// TestInUse: one data directory, one server; the second is told who has it.
func TestInUse(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	s := start(t, local.Config{Data: data})
	_, err := local.Start(t.Context(), local.Config{Data: data})
	if err == nil || !strings.Contains(err.Error(), "in use by another server (process "+strconv.Itoa(s.Pid())+")") {
		t.Errorf("%v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(); err != nil {
		t.Errorf("Wait after Close: %v", err)
	}
	start(t, local.Config{Data: data})
}

// TestSocket: the socket and its directory are private, and gone with the server.
func TestSocket(t *testing.T) {
	t.Parallel()
	s, err := local.Start(t.Context(), local.Config{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	path, ok := strings.CutPrefix(s.Endpoint(), "unix://")
	if !ok {
		t.Fatal(s.Endpoint())
	}
	for p, want := range map[string]fs.FileMode{path: fs.ModeSocket | 0o600, filepath.Dir(path): fs.ModeDir | 0o700} {
		if fi, err := os.Stat(p); err != nil || fi.Mode() != want {
			t.Errorf("%s: %v, %v", p, fi.Mode(), err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Dir(path)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("left behind: %v", err)
	}
}

// TestLongTempDir: a socket's path is short, wherever temporary files go.
func TestLongTempDir(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("x", 100))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_RUNTIME_DIR", filepath.Join(long, "no such"))
	t.Setenv("TMPDIR", long)
	start(t, local.Config{Data: t.TempDir()})
	if left, err := os.ReadDir(long); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestPort: port 0 takes a free one, and tells it.
func TestPort(t *testing.T) {
	t.Parallel()
	for _, listen := range []string{"127.0.0.1:0", "[::1]:0"} {
		s, err := local.Start(t.Context(), local.Config{Data: t.TempDir(), Listen: listen})
		if err != nil && strings.HasPrefix(listen, "[") {
			t.Logf("no IPv6 here: %v", err)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		st := client(t, s.Endpoint(), s.Credentials().Access, s.Credentials().Secret)
		put(t, st, "public/a", "x")
		if strings.HasSuffix(s.Endpoint(), ":0") {
			t.Error(s.Endpoint())
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestSecrets: the credentials can not be seen from outside the process, and those
// of another start do not work.
func TestSecrets(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "parent's own")
	s := start(t, local.Config{Data: t.TempDir()})
	secret := s.Credentials().Secret
	for _, file := range []string{"cmdline", "environ"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", s.Pid(), file))
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range []string{secret, "parent's own"} {
			if strings.Contains(string(text), bad) {
				t.Errorf("%q is in %s", bad, file)
			}
		}
	}
	if printed := fmt.Sprintf("%v %+v %#v", s.Credentials(), s.Credentials(), s.Credentials()); strings.Contains(printed, secret) {
		t.Errorf("printed as %s", printed)
	}
	_, err := client(t, s.Endpoint(), s.Credentials().Access, "another").Head(t.Context(), "k", store.Cond{})
	if !errors.Is(err, store.ErrPermission) {
		t.Errorf("wrong secret: %v", err)
	}
	for _, err := range client(t, s.Endpoint(), "nobody", secret).List(t.Context(), "public/", store.ListOptions{}) {
		if !errors.Is(err, store.ErrCredentials) {
			t.Errorf("unknown account: %v", err)
		}
	}
}

// TestStableCredentials: a stand-alone server has the same credentials each time,
// in a file that only its user reads.
func TestStableCredentials(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	cfg := local.Config{Data: data, Listen: "127.0.0.1:0", StableCredentials: true}
	s := start(t, cfg)
	kept, err := local.StableCredentials(data)
	if diff := cmp.Diff(s.Credentials(), kept); diff != "" || err != nil {
		t.Error(err, diff)
	}
	if fi, err := os.Stat(filepath.Join(data, ".s3levelfs", "credentials")); err != nil || fi.Mode() != 0o600 {
		t.Errorf("%v, %v", fi, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if again := start(t, cfg); again.Credentials() != kept {
		t.Error("the credentials changed")
	}
}

// TestServerEnds: a server that dies by itself is told by Wait, and to callers as
// requests that were never sent.
func TestServerEnds(t *testing.T) {
	t.Parallel()
	st := open(t, local.Config{Data: t.TempDir(), MaxAttempts: 1})
	put(t, st, "a", "x")
	if err := unix.Kill(st.Server().Pid(), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := st.Server().Wait(); err == nil || !strings.Contains(err.Error(), "ended by itself") {
		t.Errorf("%v", err)
	}
	if _, err := st.Head(t.Context(), "a", store.Cond{}); !errors.Is(err, store.ErrTransient) {
		t.Errorf("%v", err)
	}
	err := st.Delete(t.Context(), "a", store.Cond{})
	if !errors.Is(err, store.ErrTransient) || store.Unanswered(err) {
		t.Errorf("%v, unanswered %v", err, store.Unanswered(err))
	}
}

// TestCanceledStart: a start that is called off leaves no process and no lock.
func TestCanceledStart(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	data := t.TempDir()
	if s, err := local.Start(ctx, local.Config{Data: data}); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v, %v", s, err)
	}
	start(t, local.Config{Data: data})
}

const parentEnv = "S3LEVELFS_TEST_PARENT"

// maybeRunParent makes this process the one that TestOrphan kills.
func maybeRunParent() {
	data := os.Getenv(parentEnv)
	if data == "" {
		return
	}
	s, err := local.Start(context.Background(), local.Config{Data: data})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(s.Pid(), s.Endpoint())
	select {}
}

// TestOrphan: the server ends with its parent, even with one that is killed, and
// tidies up.
func TestOrphan(t *testing.T) {
	t.Parallel()
	parent := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^$")
	parent.Env = append(os.Environ(), parentEnv+"="+t.TempDir())
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	var endpoint string
	if _, err := fmt.Sscan(line, &pid, &endpoint); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	child, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(child) }()
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // says that it was killed
	if n, err := unix.Poll([]unix.PollFd{{Fd: int32(child), Events: unix.POLLIN}}, 10_000); n != 1 || err != nil {
		t.Fatalf("the server outlives its parent: %d, %v", n, err)
	}
	if _, err := os.Stat(filepath.Dir(strings.TrimPrefix(endpoint, "unix://"))); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("left behind: %v", err)
	}
}

const policy = `{"Version":"2012-10-17","Statement":[
{"Effect":"Allow","Principal":{"AWS":["alice","bob"]},"Action":["s3:GetObject","s3:PutObject","s3:DeleteObject"],
 "Resource":"arn:aws:s3:::s3levelfs/public/*"},
{"Effect":"Allow","Principal":{"AWS":["alice"]},"Action":["s3:GetObject","s3:PutObject","s3:DeleteObject"],
 "Resource":"arn:aws:s3:::s3levelfs/private/alice/*"},
{"Effect":"Allow","Principal":{"AWS":["alice","bob"]},"Action":["s3:ListBucket"],"Resource":"arn:aws:s3:::s3levelfs",
 "Condition":{"StringLike":{"s3:prefix":["public/","public/*"]}}}]}`

// TestAccounts: accounts see what the policy grants them and nothing else.
func TestAccounts(t *testing.T) {
	t.Parallel()
	long := strings.Replace(policy, "\n", strings.Repeat("\n", 8<<10), 1) // more than an attribute holds
	s := start(t, local.Config{
		Data: t.TempDir(), Policy: long, Listen: "127.0.0.1:0",
		Accounts: []local.Account{{Access: "alice", Secret: "alice's secret"}, {Access: "bob", Secret: "bob's secret"}},
	})
	alice, bob := client(t, s.Endpoint(), "alice", "alice's secret"), client(t, s.Endpoint(), "bob", "bob's secret")
	put(t, alice, "public/a", "x")
	put(t, alice, "private/alice/a", "x")
	put(t, bob, "public/b", "x")
	if _, _, err := bob.Get(t.Context(), "private/alice/a", store.All, store.Cond{}); !errors.Is(err, store.ErrPermission) {
		t.Errorf("bob reads alice's: %v", err)
	}
	if _, err := bob.Put(t.Context(), "private/alice/a", section("y"), store.Headers{}, store.Cond{}); !errors.Is(err, store.ErrPermission) {
		t.Errorf("bob writes alice's: %v", err)
	}
	for prefix, want := range map[string]error{"public/": nil, "private/": store.ErrPermission, "": store.ErrPermission} {
		for _, err := range bob.List(t.Context(), prefix, store.ListOptions{}) {
			if !errors.Is(err, want) {
				t.Errorf("bob lists %q: %v", prefix, err)
			}
		}
	}
}
