package rig

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Bucket is the bucket of every Server.
const Bucket = "rig"

// Identity is the identity that mounts of the rig have.
const Identity = "us-east-1:11111111-2222-3333-4444-555555555555"

// Server is the embedded S3 run by `s3levelfs local`.
type Server struct {
	Endpoint string
	Data     string   // its data directory
	Env      []string // credentials, as AWS_* variables
	cmd      *exec.Cmd
}

// StartServer serves data until the test ends.
func StartServer(t *testing.T, data string) *Server {
	t.Helper()
	cmd := exec.Command(Bin, "local", "--json", "--data", data, "--listen", "127.0.0.1:0", "--bucket", Bucket)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &Server{Data: data, cmd: cmd}
	t.Cleanup(func() { s.Stop(t) })
	var hello struct {
		Endpoint        string `json:"endpoint"`
		CredentialsFile string `json:"credentials_file"`
	}
	if err := json.NewDecoder(bufio.NewReader(out)).Decode(&hello); err != nil {
		t.Fatalf("server: %v", err)
	}
	s.Endpoint = hello.Endpoint
	text, err := os.ReadFile(hello.CredentialsFile)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "export ")
		if strings.HasPrefix(line, "AWS_") {
			s.Env = append(s.Env, strings.ReplaceAll(line, "'", ""))
		}
	}
	return s
}

// Stop ends the server; it may be called twice.
func (s *Server) Stop(t *testing.T) {
	t.Helper()
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(unix.SIGTERM)
	_ = s.cmd.Wait()
	s.cmd = nil
}
