package levels

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Me is the name of the symlink in protected/ to the own identity's directory.
const Me = "me"

// Identity is who looks at the bucket. A guest has an id too once it asked
// Cognito for one; without an id there is no own protected directory and no
// private one.
type Identity struct {
	ID            string // Cognito identity id "<region>:<uuid>", or any other stable name
	Authenticated bool

	// Groups are those of the user pool that a signed-in user is a member of, the
	// one of the highest precedence first, as Cognito chooses the role by
	// (cognito:preferred_role). They matter where [Options.Paths] has rules for them.
	Groups []string
}

// kind says who it is in a message.
func (id Identity) kind() string {
	switch {
	case !id.Authenticated:
		return "a guest"
	case len(id.Groups) > 0:
		return fmt.Sprintf("a member of %s", strings.Join(id.Groups, ", "))
	}
	return "who is signed in"
}

// validate refuses ids that would reach out of their prefix or that no path
// element can carry. The message is one line that names the value and the mend.
func (id Identity) validate() error {
	const mend = `use the identity pool's id, such as "us-east-1:11111111-2222-3333-4444-555555555555"`
	s := id.ID
	var wrong string
	switch {
	case s == "" && !id.Authenticated:
		return nil
	case s == "":
		return errors.New("identity id is empty but the identity is signed in: " + mend + ", or be a guest")
	case strings.Contains(s, "/"):
		wrong = "contains a slash"
	case s == "." || s == "..":
		wrong = "is a dot name"
	case s == Me:
		wrong = "is the name of the symlink to the own directory"
	case !utf8.ValidString(s):
		wrong = "is not valid UTF-8"
	case strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f }):
		wrong = "contains a control character"
	case len(Escape(s)) > MaxName:
		wrong = fmt.Sprintf("is longer than %d bytes", MaxName)
	default:
		return nil
	}
	return fmt.Errorf("identity id %q %s: %s", s, wrong, mend)
}
