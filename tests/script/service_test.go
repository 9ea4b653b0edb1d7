package script

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/tests/rig"
)

// manager is the service manager's end of sd_notify(3).
type manager struct {
	t    *testing.T
	conn *net.UnixConn
}

func newManager(t *testing.T, path string) *manager {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &manager{t, conn}
}

// wait returns when the service has said something.
func (m *manager) wait(want string) {
	m.t.Helper()
	if err := m.conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		m.t.Fatal(err)
	}
	for buf := make([]byte, 4096); ; {
		n, err := m.conn.Read(buf)
		if err != nil {
			m.t.Fatalf("waiting for %s: %v", want, err)
		}
		for line := range strings.Lines(string(buf[:n])) {
			if strings.HasPrefix(strings.TrimSpace(line), want) {
				return
			}
		}
	}
}

// service is a mount in the foreground, as a service manager starts it.
type service struct {
	*manager
	cmd    *exec.Cmd
	stderr bytes.Buffer
	mnt    string
}

func startService(t *testing.T, top string, server *rig.Server, options ...string) *service {
	t.Helper()
	s := &service{mnt: filepath.Join(top, "mnt")}
	if err := errors.Join(os.MkdirAll(s.mnt, 0o700), os.MkdirAll(filepath.Join(top, "run"), 0o700)); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(top, "notify")
	_ = os.Remove(socket)
	s.manager = newManager(t, socket)
	s.cmd = exec.Command(rig.Bin, append([]string{
		"mount", "-f", "--state-dir", filepath.Join(top, "state"), "--cache-dir", filepath.Join(top, "cache"),
		"--bucket", rig.Bucket, "--path-style", "--identity-id", rig.Identity, "--log-level", "error",
	}, append(options, s.mnt)...)...)
	s.cmd.Env = append(append(os.Environ(), server.Env...), "NOTIFY_SOCKET="+socket, "XDG_RUNTIME_DIR="+filepath.Join(top, "run"), "HOME="+top)
	s.cmd.Stderr = &s.stderr
	s.cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill(); _ = s.cmd.Wait(); detach(top) })
	s.wait("READY=1")
	return s
}

// stop sends SIGTERM and waits for the end.
func (s *service) stop() int {
	s.t.Helper()
	if err := s.cmd.Process.Signal(unix.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	s.wait("STOPPING=1")
	kill := time.AfterFunc(time.Minute, func() { _ = s.cmd.Process.Kill() })
	defer kill.Stop()
	_ = s.cmd.Wait() // the code is looked at
	return s.cmd.ProcessState.ExitCode()
}

// TestService: the manager hears when the mount can be used and when it ends; SIGTERM uploads what there is, for
// --stop-timeout at most, and the next start uploads the rest.
func TestService(t *testing.T) {
	top := t.TempDir()
	server := rig.StartServer(t, filepath.Join(top, "data"))
	proxy := rig.StartProxy(t, server.Endpoint)
	file := filepath.Join(top, "mnt", "private", "f")
	s := startService(t, top, server, "--endpoint", proxy.Endpoint, "--settle", "1m")
	if err := os.WriteFile(file, []byte("one"), 0o600); err != nil { // usable at READY
		t.Fatal(err)
	}
	if code := s.stop(); code != 0 {
		t.Fatalf("exit %d: %s", code, &s.stderr)
	}
	stored := filepath.Join(server.Data, rig.Bucket, privateKey("f"))
	if got, err := os.ReadFile(stored); err != nil || string(got) != "one" {
		t.Errorf("after the stop the bucket has %q, %v", got, err)
	}

	s = startService(t, top, server, "--endpoint", proxy.Endpoint, "--stop-timeout", "200ms")
	if err := os.WriteFile(file+"0", nil, 0o600); err != nil { // proves the level
		t.Fatal(err)
	}
	proxy.SetDelay(30 * time.Second)
	if err := os.WriteFile(file, []byte("two"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code := s.stop(); code != 75 || !strings.Contains(s.stderr.String(), "kept in the spool") {
		t.Fatalf("exit %d: %s", code, &s.stderr)
	}
	proxy.SetDelay(0)

	s = startService(t, top, server, "--endpoint", proxy.Endpoint)
	if code := s.stop(); code != 0 {
		t.Fatalf("exit %d: %s", code, &s.stderr)
	}
	if got, err := os.ReadFile(stored); err != nil || string(got) != "two" {
		t.Errorf("after the next start the bucket has %q, %v", got, err)
	}
}

// TestUnitFile: the example of a unit names options that exist.
func TestUnitFile(t *testing.T) {
	f, err := os.Open("../../packaging/s3levelfs@.service")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	help, err := exec.CommandContext(t.Context(), rig.Bin, "mount", "-h").Output()
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line, ok := strings.CutPrefix(lines.Text(), "ExecStart=")
		for word := range strings.FieldsSeq(line) {
			if ok && strings.HasPrefix(word, "--") {
				found = true
				if !strings.Contains(string(help), word+" ") && !strings.Contains(string(help), word+",") {
					t.Errorf("no option %s", word)
				}
			}
		}
	}
	if !found {
		t.Error("the unit starts nothing")
	}
}

// TestProgress: JSON lines where they are asked for, nothing where nobody sits at a terminal.
func TestProgress(t *testing.T) {
	b := newBucketMount(t)
	if err := os.WriteFile(b.private("first"), nil, 0o600); err != nil { // proves the level
		t.Fatal(err)
	}
	b.ok(t, "sync", b.Dir)
	gate := make(chan struct{})
	b.proxy.SetJudge(func(r *http.Request) int {
		if r.Method == http.MethodPut {
			<-gate
		}
		return 0
	})
	if err := os.WriteFile(b.private("f"), make([]byte, 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	_, stderr, code := b.Run(t, "sync", "--timeout", "1s", b.Dir)
	if code != 75 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "1 change (1000 B) not uploaded yet") {
		t.Errorf("exit %d: %q", code, stderr)
	}
	if _, stderr, code := b.Run(t, "sync", "--timeout", "1s", filepath.Join(b.Dir, "public")); code != 0 {
		t.Errorf("sync of another level: exit %d: %s", code, stderr)
	}
	_, stderr, code = b.Run(t, "sync", "--timeout", "1s", "--progress", "json", b.Dir)
	first, _, _ := strings.Cut(stderr, "\n")
	var p struct {
		FilesLeft int   `json:"files_left"`
		BytesLeft int64 `json:"bytes_left"`
	}
	if err := json.Unmarshal([]byte(first), &p); err != nil || code != 75 || p.FilesLeft != 1 || p.BytesLeft != 1000 {
		t.Errorf("exit %d, %v: %q", code, err, stderr)
	}
	if _, stderr, code := b.Run(t, "sync", "--progress", "colourful", b.Dir); code != 64 {
		t.Errorf("exit %d: %s", code, stderr)
	}
	b.proxy.SetJudge(nil)
	close(gate)
	b.Unmount(t)
}
