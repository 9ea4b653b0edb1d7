package script

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/identity/cognitotest"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/local"
	"github.com/s3levelfs/s3levelfs/tests/rig"
)

// loadTime is how long the load runs (S3LEVELFS_LOGIN), and how long tokens and credentials live in it: a minute at most.
func loadTime(t *testing.T) (load, life time.Duration) {
	t.Helper()
	load = 10 * time.Second
	if text := os.Getenv("S3LEVELFS_LOGIN"); text != "" {
		var err error
		if load, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	return load, min(time.Minute, max(3*time.Second, load/10))
}

// keyring gives other keys at each renewal, which the server refuses when their time is over, as AWS does.
type keyring struct {
	life time.Duration

	mu      sync.Mutex
	given   int
	expires map[string]time.Time // by access key
	late    int                  // requests that came with keys whose time was over
}

// keysOf are accounts enough for every renewal of a load.
func (k *keyring) accounts(load time.Duration) []local.Account {
	all := make([]local.Account, 20+3*int(load/k.life))
	for i := range all {
		all[i] = local.Account{Access: fmt.Sprintf("RENEWED%04d", i), Secret: fmt.Sprintf("secret-of-renewal-%04d", i), Role: local.RoleAdmin}
	}
	return all
}

// serve has the fake give the accounts one after another, and the proxy refuse those that are too old.
func (k *keyring) serve(fake *cognitotest.Server, proxy *rig.Proxy, accounts []local.Account) {
	fake.Before(func(operation string) {
		if operation != "GetCredentialsForIdentity" {
			return
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		a := accounts[k.given%len(accounts)]
		k.given++
		k.expires[a.Access] = time.Now().Add(k.life)
		fake.SetKeys(aliceID, cognitotest.Keys{Access: a.Access, Secret: a.Secret})
	})
	proxy.SetCode("ExpiredToken")
	proxy.SetJudge(func(r *http.Request) int {
		_, rest, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
		access, _, _ := strings.Cut(rest, "/")
		k.mu.Lock()
		defer k.mu.Unlock()
		if time.Now().Before(k.expires[access]) {
			return 0
		}
		k.late++
		return http.StatusBadRequest // ExpiredToken's status
	})
}

// programs is a mixed load by the shell's tools, each failure of which ends it with what failed.
const programs = `set -eu
cd "$1"; mkdir "w$2"; cd "w$2"; n=0
while [ ! -e "$3" ]; do
  n=$((n+1))
  printf 'file %s of %s\n' $n "$2" > new
  mv new "done-$n"
  [ "$(cat "done-$n")" = "file $n of $2" ]
  cp "done-$n" copy
  cmp copy "done-$n"
  ls -l > "$4/ls-$2"
  grep -q "done-$n" "$4/ls-$2"
  head -c 300000 /dev/zero > large
  [ "$(wc -c < large)" = 300000 ]
  cat "../../public/$((n % $5))/$2" > "$4/foreign-$2"
  grep -q 'of somebody else' "$4/foreign-$2"
  if [ $n -gt 5 ]; then rm "done-$((n-5))"; fi
  echo $n > count
done
cat count
`

// TestLoginUnderLoad: programs that write, read, list, rename and remove see no error while tokens and credentials end every few seconds (S3LEVELFS_LOGIN=10m:
// every minute, for so long), on a server that refuses keys whose time is over. When the login is revoked then all that is written is kept, and nothing
// of it is lost after the next login.
func TestLoginUnderLoad(t *testing.T) {
	load, life := loadTime(t)
	k := &keyring{life: life, expires: map[string]time.Time{}}
	accounts := k.accounts(load)
	server, err := local.Start(t.Context(), local.Config{
		Data: filepath.Join(t.TempDir(), "data"), Bucket: rig.Bucket, Listen: "127.0.0.1:0", Accounts: accounts,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	proxy := rig.StartProxy(t, server.Endpoint())
	fake := cognitotest.Start(t, cognitotest.Config{TokenLife: life, CredentialsLife: life, Rotate: true})
	fake.AddUser(cognitotest.User{Name: "alice", Password: alicePassword})
	fake.AddIdentity(aliceID, "alice")
	k.serve(fake, proxy, accounts)
	a := &app{t: t, top: t.TempDir(), fake: fake, env: signInEnv(fake, &rig.Server{Endpoint: proxy.Endpoint})}
	a.login("alice")
	m := rig.MountAt(t, a.top, a.env, "--metadata-ttl", "0s")
	owner := rig.Client(t, server.Endpoint(), server.Credentials().Access, server.Credentials().Secret)
	credentials, tokens := fake.Calls("GetCredentialsForIdentity"), fake.Calls("GetTokensFromRefreshToken")

	rounds := loadPrograms(t, a, owner, m.Dir, load)
	a.must("", "sync")
	renewed, exchanged := fake.Calls("GetCredentialsForIdentity")-credentials, fake.Calls("GetTokensFromRefreshToken")-tokens
	if want := int(load / life); renewed < want || exchanged < want {
		t.Errorf("%d renewals of credentials and %d of tokens in %v, want %d at least", renewed, exchanged, load, want)
	}
	if k.late > 0 {
		t.Errorf("%d requests came with credentials whose time was over", k.late)
	}
	t.Logf("%v: %d rounds of programs without an error, %d renewals of credentials and %d of tokens that live for %v", load, rounds, renewed, exchanged, life)

	kept := writeRevoked(t, a, m)
	a.login("alice")
	a.must("", "sync")
	for i := range kept {
		key := fmt.Sprintf("private/%s/kept-%d", aliceID, i)
		if o, err := owner.Head(t.Context(), key, store.Cond{}); err != nil || o.Size != int64(len(key)) {
			t.Errorf("%s: %d bytes, %v", key, o.Size, err)
		}
	}
	t.Logf("%d files written while the login was revoked, all there after the next one", kept)
	m.Unmount(t)
}

// loadPrograms runs three of them, each of which reads objects that somebody else has put; it gives how many rounds they made.
func loadPrograms(t *testing.T, a *app, owner store.Store, dir string, load time.Duration) (rounds int) {
	t.Helper()
	foreign := 50 + 5*int(load.Seconds()) // more than are read: each costs requests
	for n := range foreign * 3 {
		key := fmt.Sprintf("public/%d/%d", n/3, n%3)
		if _, err := owner.Put(t.Context(), key, rig.Body("of somebody else"), store.Headers{}, store.Cond{}); err != nil {
			t.Fatal(err)
		}
	}
	stop := filepath.Join(a.top, "stop")
	var outs [3]string
	var errs [3]error
	var wg sync.WaitGroup
	ended := make(chan error, len(outs))
	for i := range outs {
		wg.Go(func() {
			cmd := exec.CommandContext(t.Context(), "sh", "-x", "-c", programs, "sh", filepath.Join(dir, "private"), fmt.Sprint(i), stop, a.top, fmt.Sprint(foreign))
			var trace strings.Builder
			cmd.Stderr = &trace
			out, err := cmd.Output()
			if outs[i] = string(out); err != nil {
				ended <- errors.New("a program has ended")
				errs[i] = fmt.Errorf("program %d: %w: %s", i, err, trace.String()[max(0, trace.Len()-500):])
			}
		})
	}
	var failed error
	select {
	case <-time.After(load):
	case failed = <-ended:
	}
	failed = errors.Join(failed, os.WriteFile(stop, nil, 0o600))
	wg.Wait()
	if err := errors.Join(append(errs[:], failed)...); err != nil {
		t.Fatal(err)
	}
	for _, out := range outs {
		var n int
		if _, err := fmt.Sscan(out, &n); err != nil {
			t.Fatalf("%q: %v", out, err)
		}
		rounds += n
	}
	return rounds
}

// writeRevoked writes files from when the login is revoked until status says so, and some more; it gives how many.
func writeRevoked(t *testing.T, a *app, m *rig.Mount) (n int) {
	t.Helper()
	write := func() {
		name := fmt.Sprintf("kept-%d", n)
		if err := os.WriteFile(filepath.Join(m.Dir, "private", name), []byte("private/"+aliceID+"/"+name), 0o600); err != nil {
			t.Fatalf("while the login is revoked: %v\n%s", err, m.Log())
		}
		n++
		if _, err := os.ReadDir(filepath.Join(m.Dir, "private")); err != nil {
			t.Fatalf("while the login is revoked: %v\n%s", err, m.Log())
		}
	}
	a.fake.Revoke("alice")
	for end := time.Now().Add(5 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		write()
		if l, paused := a.state(); l.Needed && paused != "" {
			break
		}
		if time.Now().After(end) {
			t.Fatal("status never said that a login is needed")
		}
	}
	if out := a.must("", "status"); !strings.Contains(out, "login needed") {
		t.Errorf("status: %s", out)
	}
	for range 20 {
		write()
	}
	return n
}
