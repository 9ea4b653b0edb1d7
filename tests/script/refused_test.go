package script

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/tests/rig"
)

// TestRefusedMounts: a bucket that may not be listed, and a server that takes requests and never
// answers: one line with the mend and the documented code, within 10 seconds, and nothing is mounted.
func TestRefusedMounts(t *testing.T) {
	top := t.TempDir()
	server := rig.StartServer(t, filepath.Join(top, "data"))
	proxy := rig.StartProxy(t, server.Endpoint)
	mnt := filepath.Join(top, "mnt")
	if err := os.Mkdir(mnt, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		judge func(*http.Request) int
		code  int
		says  string
	}{
		"denied": {func(*http.Request) int { return http.StatusForbidden }, 77, "may list none of its levels: give others, or check the role's policy"},
		"silent": {func(r *http.Request) int { <-r.Context().Done(); return http.StatusForbidden }, 69, "can not be reached: check --endpoint and the network"},
	} {
		proxy.SetJudge(tt.judge)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		cmd := exec.CommandContext(ctx, rig.Bin, "mount", "--bucket", rig.Bucket, "--endpoint", proxy.Endpoint, "--path-style",
			"--identity-id", rig.Identity, "--state-dir", filepath.Join(top, "state"), "--cache-dir", filepath.Join(top, "cache"), mnt)
		cmd.Env = append(append(os.Environ(), server.Env...), "XDG_RUNTIME_DIR="+top, "HOME="+top)
		var said bytes.Buffer
		cmd.Stderr = &said
		start := time.Now()
		_ = cmd.Run() // its code is looked at
		took := time.Since(start)
		cancel()
		if code := cmd.ProcessState.ExitCode(); code != tt.code || !strings.Contains(said.String(), "bucket "+rig.Bucket) ||
			!strings.Contains(said.String(), tt.says) || strings.Count(said.String(), "\n") != 1 {
			t.Errorf("%s: exit %d: %s", name, code, &said)
		}
		if took >= 10*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
		table, err := os.ReadFile("/proc/self/mountinfo")
		if err != nil || strings.Contains(string(table), mnt+" ") {
			t.Errorf("%s: left mounted (%v)", name, err)
		}
	}
}
