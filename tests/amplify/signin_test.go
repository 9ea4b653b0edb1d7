package amplify

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/s3levelfs/s3levelfs/identity/cognitotest"
)

const cognitoJS = "cognito.cjs"

// TestSRPVectorsAreTheLibrarys: the numbers that identity's client is held to are what npm's amazon-cognito-identity-js computes now.
func TestSRPVectorsAreTheLibrarys(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("../../identity/testdata/srp_js.json"))
	must(t, err)
	type numbers struct{ BigA, U, S, Key, Signature string }
	var all []struct {
		Given map[string]string
		Want  numbers
	}
	must(t, json.Unmarshal(text, &all))
	js := startNode(t, cognitoJS)
	for i, v := range all {
		in := args{}
		for name, value := range v.Given {
			in[name] = value
		}
		var got numbers
		js.call(t, "numbers", in, &got)
		if got != v.Want {
			t.Errorf("%d: the library computes %+v, the file has %+v", i, got, v.Want)
		}
	}
	t.Logf("%d sign-ins computed by the library", len(all))
}

// TestJSClientSignsIn: the library signs in at the Cognito of the tests by both flows, with a temporary password and with a second factor, and exchanges its
// refresh token: what our client is tested against is no mirror of it.
func TestJSClientSignsIn(t *testing.T) {
	fake := cognitotest.Start(t, cognitotest.Config{})
	const password = "Corr3ct-Horse!"
	for _, u := range []cognitotest.User{
		{Name: "alice", Password: password, Groups: []string{"staff"}},
		{Name: "grüße-日本", Password: "pässwörd-日本-1A"},
		{Name: "new", Password: "temporary1", NewPassword: true, Required: []string{"name"}},
		{Name: "totp", Password: password, MFA: []string{cognitotest.MFATOTP}},
		{Name: "both", Password: "temporary1", NewPassword: true, MFA: []string{cognitotest.MFATOTP}},
	} {
		fake.AddUser(u)
	}
	js := startNode(t, cognitoJS)
	type signedIn struct {
		Asked         []string
		Claims, Again map[string]any
		Valid         bool
	}
	try := func(more args) (got signedIn, err error) {
		in := args{"endpoint": fake.URL, "pool": cognitotest.UserPoolID, "client": cognitotest.ClientID, "password": password}
		maps.Copy(in, more)
		err = js.try(t, "signIn", in, &got)
		return got, err
	}
	for _, c := range []struct {
		in    args
		asked []string
	}{
		{args{"user": "alice"}, nil},
		{args{"user": "alice", "flow": "USER_PASSWORD_AUTH"}, nil},
		{args{"user": "grüße-日本", "password": "pässwörd-日本-1A"}, nil},
		{args{"user": "new", "password": "temporary1", "newPassword": "An0ther-Password", "attributes": map[string]string{"name": "New"}}, []string{"new password", "name"}},
		{args{"user": "new", "password": "An0ther-Password"}, nil},
		{args{"user": "totp", "code": fake.TOTP("totp")}, []string{"totp"}},
		{args{"user": "both", "password": "temporary1", "newPassword": password, "code": fake.TOTP("both")}, []string{"new password", "totp"}},
	} {
		got, err := try(c.in)
		name, _ := c.in["user"].(string)
		if err != nil || !slices.Equal(got.Asked, c.asked) || got.Claims["cognito:username"] != name || got.Again["sub"] != got.Claims["sub"] || !got.Valid {
			t.Errorf("%v: %v, asked %q, claims %v, again %v", c.in, err, got.Asked, got.Claims, got.Again)
		}
	}
	for _, in := range []args{
		{"user": "alice", "password": "wr0ng-passw0rd"},
		{"user": "alice", "password": "wr0ng-passw0rd", "flow": "USER_PASSWORD_AUTH"},
		{"user": "nobody"},
		{"user": "totp", "code": "000"},
	} {
		if got, err := try(in); err == nil || !strings.Contains(err.Error(), "Exception") {
			t.Errorf("%v: %v, %+v", in, err, got)
		}
	}
}
