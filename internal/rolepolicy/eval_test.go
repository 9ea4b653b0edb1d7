package rolepolicy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/s3levelfs/s3levelfs/internal/rolepolicy"
)

// request is what IAM judges.
type request struct {
	action, resource string
	prefix           string // of a listing; "" is the prefix of the whole bucket
	sub              string // identity id of whoever asks, "" = none
}

// allowed evaluates a policy as IAM does: an explicit Deny wins, then an Allow, else no. It is written from the IAM user guide
// ("Policy evaluation logic", "String condition operators", "Variables and tags") and shares nothing with what is tested.
func allowed(d rolepolicy.Document, r request) bool {
	ok := false
	for _, s := range d.Statement {
		if !slices.Contains(s.Action, r.action) || !slices.ContainsFunc(s.Resource, func(p string) bool { return matches(p, r.resource, r.sub) }) {
			continue
		}
		if c := s.Condition; c != nil && !slices.ContainsFunc(c.StringLike.Prefix, func(p string) bool { return matches(p, r.prefix, r.sub) }) {
			continue
		}
		if s.Effect == rolepolicy.Deny {
			return false
		}
		ok = true
	}
	return ok
}

// token is one character of a pattern; wild ones stand for others.
type token struct {
	char byte
	wild bool
}

// matches compares with a pattern in which ${…} are variables. One without a value matches nothing. The values of variables
// are text: a * in them stands for itself.
func matches(pattern, text, sub string) bool {
	var tokens []token
	for pattern != "" {
		if body, is := strings.CutPrefix(pattern, "${"); is {
			name, rest, whole := strings.Cut(body, "}")
			if !whole {
				return false
			}
			value := map[string]string{"*": "*", "?": "?", "$": "$", "cognito-identity.amazonaws.com:sub": sub}[name]
			if value == "" {
				return false
			}
			for i := range len(value) {
				tokens = append(tokens, token{char: value[i]})
			}
			pattern = rest
			continue
		}
		tokens = append(tokens, token{pattern[0], pattern[0] == '*' || pattern[0] == '?'})
		pattern = pattern[1:]
	}
	return like(tokens, text)
}

func like(p []token, text string) bool {
	switch {
	case len(p) == 0:
		return text == ""
	case p[0].wild && p[0].char == '*':
		return like(p[1:], text) || text != "" && like(p, text[1:])
	case text == "":
		return false
	}
	return (p[0].wild || p[0].char == text[0]) && like(p[1:], text[1:])
}

// The evaluator itself is right: IAM's own examples.
func TestMatches(t *testing.T) {
	for _, tt := range []struct {
		pattern, text string
		want          bool
	}{
		{"a*c", "abbc", true},
		{"a*c", "ac", true},
		{"a?c", "ac", false},
		{"a?c", "abc", true},
		{"*", "", true},
		{"a", "ab", false},
		{"a${*}", "a*", true},
		{"a${*}", "ab", false},
		{"a${$}{x", "a${x", true},
		{"x/${cognito-identity.amazonaws.com:sub}/*", "x/me/f", true},
		{"x/${cognito-identity.amazonaws.com:sub}/*", "x/you/f", false},
		{"${aws:username}", "", false},
	} {
		if got := matches(tt.pattern, tt.text, "me"); got != tt.want {
			t.Errorf("%q matches %q: %v", tt.pattern, tt.text, got)
		}
	}
	if matches("x/${cognito-identity.amazonaws.com:sub}/*", "x//f", "") {
		t.Error("a variable without a value matches")
	}
}
