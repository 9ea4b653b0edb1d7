package peruser

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestUIDMap: a uid that the user namespace does not have is none, and the kernel's "no such uid" never is one.
func TestUIDMap(t *testing.T) {
	m, err := ParseUIDMap(strings.NewReader("         0       1000          1\n      1000     100000       2000\n"))
	if err != nil {
		t.Fatal(err)
	}
	all, err := ParseUIDMap(strings.NewReader("0 0 4294967295\n"))
	if err != nil {
		t.Fatal(err)
	}
	for uid, want := range map[uint32][2]bool{
		0: {true, true}, 1: {false, true}, 999: {false, true}, 1000: {true, true}, 2999: {true, true}, 3000: {false, true},
		65534: {false, true}, math.MaxUint32 - 1: {false, true}, math.MaxUint32: {false, false},
	} {
		if got := [2]bool{m.Has(uid), all.Has(uid)}; got != want {
			t.Errorf("%d: %v, want %v", uid, got, want)
		}
	}
	for _, text := range []string{"0 0\n", "a b c\n", "0 0 -1\n"} {
		if _, err := ParseUIDMap(strings.NewReader(text)); err == nil {
			t.Errorf("%q is a map", text)
		}
	}
	own, err := OwnUIDs()
	if err != nil || !own.Has(uint32(os.Getuid())) {
		t.Errorf("own: %v, %v", own, err)
	}
}

// TestUnmappedIsRefused before anything is looked up or started.
func TestUnmappedIsRefused(t *testing.T) {
	s, err := NewSpawner(SpawnConfig{Base: t.TempDir() + "/a/b", UIDs: UIDMap{{0, 10}}, LookUp: func(context.Context, uint32) (Account, error) {
		t.Error("it was looked up")
		return Account{}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, uid := range []uint32{10, 65534, math.MaxUint32} {
		if _, err := s.Start(t.Context(), uid); Errno(err) != syscall.EACCES {
			t.Errorf("%d: %v", uid, err)
		}
	}
}

// TestLookUp: root is known everywhere; a uid that nobody has is EACCES, and the error names the mend.
func TestLookUp(t *testing.T) {
	if a, err := LookUp(t.Context(), 0); err != nil || a.Name != "root" || a.GID != 0 || a.Home == "" {
		t.Errorf("root: %+v, %v", a, err)
	}
	_, err := LookUp(t.Context(), 3999999999)
	if Errno(err) != syscall.EACCES || !strings.Contains(err.Error(), "uid 3999999999 has no account") || !strings.Contains(err.Error(), "add one") {
		t.Errorf("nobody: %v", err)
	}
}

// TestEnviron: of the front's variables only those pass that say how the machine is.
func TestEnviron(t *testing.T) {
	a := Account{UID: 3999999999, Name: "alice", Home: "/home/alice"}
	got := environ([]string{
		"PATH=/bin", "HOME=/root", "AWS_ACCESS_KEY_ID=k", "AWS_SECRET_ACCESS_KEY=s", "AWS_SESSION_TOKEN=t", "AWS_PROFILE=p", "AWS_REGION=eu-west-1",
		"S3LEVELFS_CLIENT_SECRET=c", "S3LEVELFS_BUCKET=b", "XDG_RUNTIME_DIR=/run/user/0", "XDG_STATE_HOME=/root/s", "DBUS_SESSION_BUS_ADDRESS=unix:/x",
		"HTTPS_PROXY=http://proxy:3128", "HTTP_PROXY=http://me:secret@proxy:3128", "http_proxy=me:secret@proxy", "SUDO_USER=x", "NOTIFY_SOCKET=/run/n",
	}, a, "/run/none")
	want := []string{
		"PATH=/bin", "AWS_REGION=eu-west-1", "HTTPS_PROXY=http://proxy:3128",
		"HOME=/home/alice", "USER=alice", "LOGNAME=alice", "XDG_CONFIG_HOME=/run/none",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestErrno: what the caller gets for why there is no mount.
func TestErrno(t *testing.T) {
	for _, c := range []struct {
		err  error
		want syscall.Errno
	}{
		{ErrFull, syscall.EUSERS},
		{ErrClosed, syscall.ESHUTDOWN},
		{ErrEnding, syscall.EBUSY},
		{&StartError{Code: 77}, syscall.EACCES},
		{&StartError{Code: 78}, syscall.EACCES},
		{&StartError{Code: 69}, syscall.EIO},
		{fmt.Errorf("x: %w", context.Canceled), syscall.EINTR},
		{context.DeadlineExceeded, syscall.EIO},
		{syscall.ENOENT, syscall.EIO}, // the file may well be there
		{errors.New("x"), syscall.EIO},
	} {
		if got := Errno(c.err); got != c.want {
			t.Errorf("%v: %v, want %v", c.err, got, c.want)
		}
	}
}

// TestCommonDirIsRoots: a directory that somebody else could change is refused, for he could put his own in the place of another's.
func TestCommonDirIsRoots(t *testing.T) {
	dir := t.TempDir()
	if err := CommonDir(dir + "/new"); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(dir + "/new"); err != nil || info.Mode().Perm()&0o111 != 0o111 || info.Mode().Perm()&0o022 != 0 {
		t.Errorf("%v, %v", info, err)
	}
	if err := os.Mkdir(dir+"/open", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir+"/open", 0o777); err != nil {
		t.Fatal(err)
	}
	if err := CommonDir(dir + "/open"); err == nil || !strings.Contains(err.Error(), "others can write") {
		t.Errorf("one that all can write to: %v", err)
	}
}

// TestTwoFronts: a second front at the same mountpoint waits for the end of the first, and is refused when that takes too long.
func TestTwoFronts(t *testing.T) {
	base := t.TempDir() + "/users/mnt"
	var fronts [2]*Spawner
	for i := range fronts {
		s, err := NewSpawner(SpawnConfig{Base: base})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		fronts[i] = s
	}
	if err := fronts[0].Lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := fronts[1].Lock(over); err == nil || !strings.Contains(err.Error(), "an earlier front") {
		t.Errorf("beside the first: %v", err)
	}
	fronts[0].Close()
	if err := fronts[1].Lock(t.Context()); err != nil {
		t.Errorf("after it: %v", err)
	}
}
