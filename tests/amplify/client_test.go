package amplify

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/tests/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

// app is an Amplify app: a Node process with the client, and the bucket that it shares with a mount.
type app struct {
	*rig.Mount
	store store.Store // past mount and client
	client
}

// client is a Node process that does what it is told, line by line.
type client struct {
	in  *json.Encoder
	out *bufio.Reader
}

// newApp starts bucket, mount and a client of version 5.
func newApp(t *testing.T, script string, options ...string) *app {
	t.Helper()
	top := t.TempDir()
	server := rig.StartServer(t, filepath.Join(top, "data"))
	a := &app{store: server.Client(t)}
	a.Mount = mountOf(t, top, rig.Bucket, server.Endpoint, server.Env, options)
	forward(t, server.Endpoint)
	a.client = startClient(t, script, rig.Bucket, server.Env, nil)
	return a
}

// mountOf mounts a bucket; commands know it by the same variables.
func mountOf(t *testing.T, top, bucket, endpoint string, credentials, options []string) *rig.Mount {
	t.Helper()
	env := append(credentials, "S3LEVELFS_BUCKET="+bucket, "S3LEVELFS_ENDPOINT="+endpoint, "S3LEVELFS_PATH_STYLE=true", "S3LEVELFS_IDENTITY_ID="+rig.Identity)
	return rig.MountAt(t, top, env, append([]string{"--metadata-ttl", "0s"}, options...)...)
}

// startClient starts the driver of a storage client, with settings besides what all have, and variables of its process.
func startClient(t *testing.T, script, bucket string, credentials []string, more map[string]string, env ...string) client {
	t.Helper()
	settings := map[string]string{"bucket": bucket, "region": "us-east-1", "identityId": rig.Identity}
	maps.Copy(settings, more)
	for _, pair := range credentials {
		name, value, _ := strings.Cut(pair, "=")
		switch name {
		case "AWS_ACCESS_KEY_ID":
			settings["accessKeyId"] = value
		case "AWS_SECRET_ACCESS_KEY":
			settings["secretAccessKey"] = value
		}
	}
	text, err := json.Marshal(settings)
	must(t, err)
	return startNode(t, script, append(env, "AMPLIFY_CLIENT="+string(text))...)
}

// startNode starts a driver with the modules that make has installed; it ends with the test.
func startNode(t *testing.T, script string, env ...string) client {
	t.Helper()
	dir := "../../bin/.amplify"
	if script == v6 {
		dir = filepath.Join(dir, "v6") // its core is another version
	}
	modules, err := filepath.Abs(filepath.Join(dir, "node_modules"))
	must(t, err)
	if _, err := os.Stat(modules); err != nil {
		t.Fatalf("the Amplify client is not installed: run make test-deps (%v)", err)
	}
	node := exec.Command("node", filepath.Join("client", script))
	node.Env = append(append(os.Environ(), "NODE_PATH="+modules), env...)
	node.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	node.Stderr = os.Stderr
	in, err := node.StdinPipe()
	must(t, err)
	out, err := node.StdoutPipe()
	must(t, err)
	must(t, node.Start())
	t.Cleanup(func() {
		_ = in.Close() // ends it
		_ = node.Wait()
	})
	return client{json.NewEncoder(in), bufio.NewReader(out)}
}

type args map[string]any

// call lets the client do something and decodes what it returned into result, which may be nil.
func (a *client) call(t *testing.T, op string, in args, result any) {
	t.Helper()
	if err := a.try(t, op, in, result); err != nil {
		t.Fatalf("%s %v: %v", op, in, err)
	}
}

func (a *client) try(t *testing.T, op string, in args, result any) error {
	t.Helper()
	must(t, a.in.Encode(map[string]any{"op": op, "args": in}))
	line, err := a.out.ReadBytes('\n')
	if err != nil {
		t.Fatalf("%s: the client has gone: %v", op, err)
	}
	var answer struct {
		Result json.RawMessage
		Error  string
	}
	must(t, json.Unmarshal(line, &answer))
	if answer.Error != "" {
		return errors.New(answer.Error)
	}
	if result != nil {
		must(t, json.Unmarshal(answer.Result, result))
	}
	return nil
}

// sync waits until what was written into the mount is in the bucket.
func (a *app) sync(t *testing.T) {
	t.Helper()
	if _, stderr, code := a.Run(t, "sync", a.Dir); code != 0 {
		t.Fatalf("sync: exit %d: %s", code, stderr)
	}
}

// amplifyEndpoint is the only one that an app can be given for tests: "dangerouslyConnectToHttpEndpointForTesting".
const amplifyEndpoint = "127.0.0.1:20005"

// forward serves the endpoint that the client can not be talked out of.
func forward(t *testing.T, endpoint string) {
	t.Helper()
	u, err := url.Parse(endpoint)
	must(t, err)
	l, err := net.Listen("tcp", amplifyEndpoint)
	if err != nil {
		t.Fatalf("Amplify's test endpoint %s is taken: end what listens there (%v)", amplifyEndpoint, err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { pipe(c, u.Host) })
		}
	})
}

// pipe carries both directions of a connection until one of its ends is closed.
func pipe(c net.Conn, to string) {
	defer func() { _ = c.Close() }()
	s, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer func() { _ = s.Close() }()
	done := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{c, s}, {s, c}} {
		go func() { _, _ = io.Copy(way[0], way[1]); done <- struct{}{} }()
	}
	<-done
	_ = c.Close()
	_ = s.Close()
	<-done
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// pattern is what putPattern of the client sends.
func pattern(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i * 7 % 251)
	}
	return b
}

func wantFile(t *testing.T, path string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s: %d bytes, %v; want %d", path, len(got), err, len(want))
	}
}
