// Package access holds the command `access` against a server that enforces the
// policies which package rolepolicy renders: it finds what each identity may do, and
// leaves nothing behind.
package access

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/internal/rolepolicy"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/local"
	"github.com/s3levelfs/s3levelfs/tests/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

const (
	aliceID = "us-east-1:aaaaaaaa-2222-3333-4444-555555555555"
	bobID   = "us-east-1:bbbbbbbb-2222-3333-4444-555555555555"
	all     = levels.Get | levels.Put | levels.Delete
)

// who is one account of the server.
type who struct {
	name, identity string // identity "" = a guest
	role           rolepolicy.Role
	can            levels.Perm
	differs        int // rights that differ from Amplify's defaults, where all are known
}

func people() []who {
	return []who{
		{name: "alice", identity: aliceID, role: rolepolicy.Auth, can: all},
		{name: "reader", role: rolepolicy.Guest, can: levels.Get, differs: 5},           // public's and uploads' writes
		{name: "admin", identity: bobID, role: rolepolicy.Group, can: all, differs: 19}, // others' places, uploads, outside
		{name: "nobody", identity: "us-east-1:cccc", role: rolepolicy.Auth, differs: 24},
	}
}

func (w who) access() string { return strings.ToUpper(w.name) + "ACCESS" }
func (w who) secret() string { return w.name + "-secret-0123456789" }

// serve starts a server that knows the people and enforces their roles' policies.
func serve(t *testing.T, data string) *local.Server {
	t.Helper()
	config := local.Config{Data: data, Bucket: rig.Bucket, Listen: "127.0.0.1:0"}
	var docs []rolepolicy.Document
	for _, w := range people() {
		config.Accounts = append(config.Accounts, local.Account{Access: w.access(), Secret: w.secret()})
		d, err := rolepolicy.New(w.role, rolepolicy.Options{Bucket: rig.Bucket, Can: w.can, IdentityID: w.identity, Principals: []string{w.access()}})
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, d)
	}
	policy, err := json.Marshal(rolepolicy.Merge(docs...))
	if err != nil {
		t.Fatal(err)
	}
	config.Policy = string(policy)
	server, err := local.Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return server
}

// cell is what the command tells of one operation in one place.
type cell struct {
	Place, Prefix, Operation, Answer, Why string
	Certain, Granted                      bool
}

// probe runs the command.
func probe(t *testing.T, w who, endpoint string, more ...string) (cells []cell, code int) {
	t.Helper()
	args := append([]string{"60", rig.Bin, "access", "--json", "--bucket", rig.Bucket, "--endpoint", endpoint, "--path-style"}, more...)
	if w.identity == "" {
		args = append(args, "--guest")
	} else {
		args = append(args, "--identity-id", w.identity)
	}
	cmd := exec.CommandContext(t.Context(), "timeout", args...)
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+w.access(), "AWS_SECRET_ACCESS_KEY="+w.secret(), "HOME="+t.TempDir())
	out, err := cmd.Output()
	if ee, ok := errors.AsType[*exec.ExitError](err); ok {
		code = ee.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &cells); err != nil {
		t.Fatalf("%s: %v (exit %d)\n%s", w.name, err, code, out)
	}
	return cells, code
}

// snapshot is every file of the bucket with its bytes, and every directory.
func snapshot(t *testing.T, data string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(data, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if d.Name() != ".sgwtmp" { // the server's own, made with the first upload and empty when none is under way
				found[path] = "directory"
			}
			return err
		}
		text, err := os.ReadFile(path)
		found[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// seed puts objects of everybody.
func seed(t *testing.T, s store.Store) {
	t.Helper()
	for _, prefix := range []string{"public/", "protected/" + aliceID + "/", "protected/" + bobID + "/", "private/" + aliceID + "/", "private/" + bobID + "/", "uploads/", "elsewhere/"} {
		if _, err := s.Put(t.Context(), prefix+"seed", rig.Body("seed"), store.Headers{}, store.Cond{}); err != nil {
			t.Fatal(err)
		}
	}
}

// want is what the server's policy gives.
func want(w who, c cell) bool {
	right := map[string]levels.Perm{
		"list": levels.Get, "stat": levels.Get, "read": levels.Get, "create": levels.Put, "overwrite": levels.Put, "delete": levels.Delete,
	}[c.Operation]
	if !w.can.Has(right) {
		return false
	}
	if w.role == rolepolicy.Group {
		return true
	}
	switch c.Place {
	case "public", "protected own", "private own", "protected":
		return w.role == rolepolicy.Auth || c.Place == "public" || right == levels.Get
	case "protected other":
		return right == levels.Get
	case "uploads":
		return right == levels.Put
	}
	return false
}

// TestAccessLeavesNothing: four identities against a server that enforces their policies, with objects in all places and
// without any, as it is and as Amazon S3 answers who may not list everything (403 for what is not there). Each answer that is
// certain is right, each that is not is no certain one's opposite, and not a file of the server is different afterwards.
func TestAccessLeavesNothing(t *testing.T) {
	cells, certain := 0, 0
	for _, seeded := range []bool{true, false} {
		data := filepath.Join(t.TempDir(), "data")
		server := serve(t, data)
		if seeded {
			seed(t, rig.Client(t, server.Endpoint(), server.Credentials().Access, server.Credentials().Secret))
		}
		before := snapshot(t, data)
		hiding := hideAbsence(t, server.Endpoint())
		for _, w := range people() {
			for _, endpoint := range []string{server.Endpoint(), hiding} {
				for _, more := range [][]string{nil, {"--make-objects"}} {
					name := fmt.Sprintf("%s, objects %v, 403 for absent %v, %v", w.name, seeded, endpoint == hiding, more)
					found, code := probe(t, w, endpoint, more...)
					n, sure := judge(t, name, w, found)
					cells, certain = cells+n, certain+sure
					differs := 0
					for _, c := range found {
						if c.Answer == "yes" && !c.Granted || c.Answer == "no" && c.Granted {
							differs++
						}
					}
					if differs > w.differs || endpoint != hiding && differs != w.differs || (code == 2) != (differs > 0) || code != 0 && code != 2 {
						t.Errorf("%s: %d rights differ, want %d, exit code %d", name, differs, w.differs, code)
					}
				}
			}
		}
		if diff := cmp.Diff(before, snapshot(t, data)); diff != "" {
			t.Errorf("objects %v: something was left behind: %s", seeded, diff)
		}
	}
	t.Logf("%d cells, %d of them certain and right", cells, certain)
}

func judge(t *testing.T, name string, w who, found []cell) (n, sure int) {
	t.Helper()
	for _, c := range found {
		yes := want(w, c)
		switch {
		case c.Certain && (c.Answer == "yes") != yes, c.Answer == "unknown" && c.Certain, !c.Certain && c.Why == "":
			t.Errorf("%s: %+v, want %v", name, c, yes)
		case c.Certain:
			sure++
		case c.Operation != "stat" && c.Operation != "read":
			t.Errorf("%s: %+v is not certain", name, c)
		}
	}
	if len(found) < 26 {
		t.Errorf("%s: %d cells", name, len(found))
	}
	return len(found), sure
}
