package account

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/backend"
	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/identity"
)

func answers(lines string) (*asker, *strings.Builder) {
	said := &strings.Builder{}
	a := &asker{in: bufio.NewReader(strings.NewReader(lines)), say: said}
	a.secret = a.line
	return a, said
}

// TestQuestions: what is asked, and what the answers mean.
func TestQuestions(t *testing.T) {
	kinds := []identity.CodeKind{identity.CodeSMS, identity.CodeAuthenticator}
	for typed, want := range map[string]identity.CodeKind{"2\n": identity.CodeAuthenticator, "SMS\n": identity.CodeSMS, "1": identity.CodeSMS, "7\n": "7"} {
		a, said := answers(typed)
		got, err := a.Choose(t.Context(), kinds)
		if got != want || err != nil || !strings.Contains(said.String(), "1 SMS, 2 authenticator app") {
			t.Errorf("%q: %q, %v, asked %q", typed, got, err, said)
		}
	}
	a, said := answers("123456\r\n654321\n\n")
	for _, want := range []identity.Secret{"123456", "654321"} {
		if code, err := a.Code(t.Context(), identity.CodeSMS, "+***12", want != "123456"); code.Reveal() != want.Reveal() || err != nil {
			t.Errorf("%s, %v", code.Reveal(), err)
		}
	}
	if text := said.String(); text != "Code sent by SMS to +***12: That was wrong. Code sent by SMS to +***12: " {
		t.Errorf("asked %q", text)
	}
	if _, err := a.Code(t.Context(), identity.CodeAuthenticator, "", false); cmdline.ExitCode(err) != cmdline.ExitUsage {
		t.Errorf("an empty answer: %v", err)
	}
	a, _ = answers("")
	if _, _, err := a.account(""); err == nil {
		t.Error("no name was taken")
	}
	a, said = answers("alice\npass word \n")
	if user, password, err := a.account(""); user != "alice" || password.Reveal() != "pass word " || err != nil || strings.Contains(said.String(), "pass word") {
		t.Errorf("%q %q %v", user, password.Reveal(), err)
	}
}

// TestLoginStatusForPeople: what is the case, and that nothing is lost.
func TestLoginStatusForPeople(t *testing.T) {
	text := func(l *backend.LoginStatus) string {
		var b strings.Builder
		backend.WriteLogin(func(name, format string, args ...any) {
			_, _ = io.WriteString(&b, name+" "+fmt.Sprintf(format, args...)+"\n")
		}, l)
		return b.String()
	}
	if text(nil) != "" {
		t.Error("a login where there is none")
	}
	if got := text(&backend.LoginStatus{Guest: true, Expires: time.Now().Add(time.Hour)}); !strings.Contains(got, "guest, credentials until") {
		t.Error(got)
	}
	got := text(&backend.LoginStatus{Needed: true, Error: identity.ErrLoginNeeded.Error(), Expires: time.Now().Add(-time.Minute)})
	for _, want := range []string{"expired", "s3levelfs login", "nothing is lost"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %s", want, got)
		}
	}
}
