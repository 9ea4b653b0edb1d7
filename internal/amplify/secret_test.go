package amplify_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/s3levelfs/s3levelfs/internal/amplify"
)

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestSecretsAreNeverPrinted: in no way of printing an App, its parts, or an error about them.
func TestSecretsAreNeverPrinted(t *testing.T) {
	const secret = "hush-hush-mobile-secret"
	app, err := amplify.Read("testdata/mobile/amplifyconfiguration.json")
	if err != nil || app.UserPool.ClientSecret.Reveal() != secret {
		t.Fatalf("%v", err)
	}
	var out bytes.Buffer
	hidden := struct{ s amplify.Secret }{app.UserPool.ClientSecret} // its methods can not be reached by reflection
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+" "+verb+" "+verb+"\n", app, app.UserPool.ClientSecret, hidden)
	}
	if err := json.NewEncoder(&out).Encode(app); err != nil {
		t.Fatal(err)
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("app", "app", app.UserPool, "secret", app.UserPool.ClientSecret)
	if strings.Contains(out.String(), secret) || strings.Contains(out.String(), fmt.Sprintf("%x", secret)) || !strings.Contains(out.String(), "(set)") {
		t.Errorf("printed:\n%s", &out)
	}
	if s := (amplify.Secret{}); s.String() != "" || s.Reveal() != "" || amplify.NewSecret("") != s {
		t.Error("an empty secret is one")
	}
	text := string(readFile(t, "testdata/mobile/amplifyconfiguration.json"))
	for _, broken := range []string{secret, `["` + secret + `"]`, "`" + secret + "`", `"` + secret, `"` + secret + `" "` + secret + `"`, secret + `("x")`, secret + `"`} {
		_, err := amplify.Parse("f", []byte(strings.Replace(text, `"`+secret+`"`, broken, 1)))
		if err == nil || strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", broken, err)
		}
	}
}
