package script

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/s3levelfs/s3levelfs/identity/cognitotest"
	"github.com/s3levelfs/s3levelfs/tests/rig"
)

// aliceID and bobID are identities of the fake identity pool that every sign-in script has.
const (
	aliceID = "us-east-1:aaaaaaaa-2222-3333-4444-555555555555"
	bobID   = "us-east-1:bbbbbbbb-2222-3333-4444-555555555555"
)

// signInEnv are the settings of an app whose pools the fake has.
func signInEnv(fake *cognitotest.Server, server *rig.Server) []string {
	return []string{
		"S3LEVELFS_USER_POOL_ID=" + cognitotest.UserPoolID, "S3LEVELFS_CLIENT_ID=" + cognitotest.ClientID,
		"S3LEVELFS_IDENTITY_POOL_ID=" + cognitotest.IdentityPoolID,
		"S3LEVELFS_USER_POOL_ENDPOINT=" + fake.URL, "S3LEVELFS_IDENTITY_POOL_ENDPOINT=" + fake.URL,
		"S3LEVELFS_BUCKET=" + rig.Bucket, "S3LEVELFS_ENDPOINT=" + server.Endpoint,
		"DBUS_SESSION_BUS_ADDRESS=", "AWS_EC2_METADATA_DISABLED=true",
	}
}

// serverKeys are the server's owner's, for identities to stand behind.
func serverKeys(server *rig.Server) cognitotest.Keys {
	var k cognitotest.Keys
	for _, pair := range server.Env {
		switch name, value, _ := strings.Cut(pair, "="); name {
		case "AWS_ACCESS_KEY_ID":
			k.Access = value
		case "AWS_SECRET_ACCESS_KEY":
			k.Secret = value
		}
	}
	return k // without a session token, which this server does not take
}

// TestLoginScripts runs login, logout and whoami as people do, against a fake Cognito and the embedded S3.
func TestLoginScripts(t *testing.T) {
	server := rig.StartServer(t, filepath.Join(t.TempDir(), "data"))
	fakes := map[string]*cognitotest.Server{} // by a script's directory
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "login"),
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			fake := cognitotest.Start(t, cognitotest.Config{Guests: true, Rotate: true})
			fake.AddUser(cognitotest.User{Name: "alice", Password: "Corr3ct-Horse!", Groups: []string{"editors"}, PreferredRole: "arn:aws:iam::1:role/editors"})
			fake.AddUser(cognitotest.User{Name: "bob", Password: "Batt3ry-Staple", MFA: []string{cognitotest.MFATOTP}})
			fake.AddUser(cognitotest.User{Name: "carol", Password: "temporary1", NewPassword: true, Required: []string{"name"}})
			fake.AddIdentity(aliceID, "alice")
			fake.AddIdentity(bobID, "bob")
			for _, id := range []string{aliceID, bobID} {
				fake.SetKeys(id, serverKeys(server))
			}
			fakes[e.WorkDir] = fake
			for _, pair := range signInEnv(fake, server) {
				name, value, _ := strings.Cut(pair, "=")
				e.Setenv(name, value)
			}
			e.Setenv("PATH", filepath.Dir(rig.Bin)+":"+os.Getenv("PATH"))
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("XDG_RUNTIME_DIR", filepath.Join(e.WorkDir, "run"))
			e.Setenv("ALICE", aliceID)
			e.Setenv("BOB", bobID)
			e.Defer(func() { detach(e.WorkDir) })
			return os.Mkdir(filepath.Join(e.WorkDir, "run"), 0o700)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code": code,
			"cognito": func(ts *testscript.TestScript, _ bool, args []string) {
				cognito(ts, fakes[ts.Getenv("WORK")], args)
			},
		},
	})
}

// cognito does what happens on the other side: cognito revoke NAME | answers FILE PASSWORD NAME | away | back.
func cognito(ts *testscript.TestScript, fake *cognitotest.Server, args []string) {
	switch args[0] {
	case "revoke":
		fake.Revoke(args[1])
	case "away", "back":
		fake.SetDown(args[0] == "away")
	case "answers": // the password, then the code of now
		ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(args[2]+"\n"+fake.TOTP(args[3])+"\n"), 0o600))
	default:
		ts.Fatalf("cognito does not know %q", args[0])
	}
}
