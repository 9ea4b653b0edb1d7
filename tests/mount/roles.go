package mount

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// Environment variables that carry a role.
const (
	envRole = "S3LEVELFS_TEST_ROLE"
	envSpec = "S3LEVELFS_TEST_SPEC"
)

// Roles are what the processes of a test package can play.
type Roles struct {
	// Daemons serve mounts, by the name in Options.Daemon.
	Daemons map[string]Daemon
	// Programs are small programs that workers run as processes of their own,
	// by the name given to Mount.Program. They return their exit code.
	Programs map[string]func(args []string) int
}

// Daemon mounts something on dir. args is Options.Args; state is a directory for
// whatever must be kept. When the worker is through, stop is called: it
// unmounts and tells what went wrong.
type Daemon func(dir, state string, args json.RawMessage) (*Served, error)

// Served is a mount that is ready.
type Served struct {
	Control any // its methods are called by Mount.Call (net/rpc); nil = none
	Stop    func() error
}

// spec is what init, daemon and worker are told.
type spec struct {
	Daemon  string
	Args    json.RawMessage
	Dir     string // the mountpoint
	State   string
	Socket  string // of the daemon's Control
	Pattern string // -test.run of the worker
	UID     int
	Verbose bool
}

// Main is the body of TestMain. In a child it plays the child's role; in the
// test process it runs the tests, and fails if a mount is left over.
func Main(m *testing.M, roles Roles) int {
	role, rest, _ := strings.Cut(os.Getenv(envRole), ":")
	switch role {
	case "init":
		return playInit(readSpec())
	case "daemon":
		return playDaemon(readSpec(), roles)
	case "program":
		run, ok := roles.Programs[rest]
		if !ok {
			fmt.Fprintf(os.Stderr, "no program %q\n", rest)
			return 2
		}
		return run(os.Args[1:])
	case "worker":
		return m.Run()
	}
	before := mounts()
	code := m.Run()
	for _, left := range mounts() {
		if !slices.Contains(before, left) {
			fmt.Fprintf(os.Stderr, "mount left over: %s\n", left)
			code = 1
		}
	}
	return code
}

func readSpec() spec {
	var s spec
	if err := json.Unmarshal([]byte(os.Getenv(envSpec)), &s); err != nil {
		panic(fmt.Sprintf("%s: %v", envSpec, err))
	}
	return s
}

// isWorker tells whether this process runs a test on a mount.
func isWorker() bool { return os.Getenv(envRole) == "worker" }

// mounts lists the FUSE mounts of this process's namespace.
func mounts() []string {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return []string{err.Error()}
	}
	defer f.Close()
	found := map[string]bool{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if line := lines.Text(); strings.Contains(line, " - fuse") {
			found[line] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}
