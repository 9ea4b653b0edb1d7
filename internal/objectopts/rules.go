package objectopts

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
)

// Rule gives options to the keys that match: table [[objects]] of the TOML file.
type Rule struct {
	// Match is a pattern of keys: * is any run of characters but /, ** any run, ? one character but /. One without a / is that of
	// the last element: *.css is a style sheet in any directory.
	Match   string
	Options Options
}

// Rules are the options of the keys of a bucket. Immutable.
type Rules struct {
	all   Options
	rules []rule
}

type rule struct {
	match   *regexp.Regexp
	base    bool // of the last element
	options Options
}

// New makes rules: all for every key, and over them, the later the stronger, those that match.
func New(all Options, list []Rule) (*Rules, error) {
	if err := all.check(); err != nil {
		return nil, err
	}
	r := &Rules{all: all}
	for _, one := range list {
		if one.Match == "" {
			return nil, errors.New(`match is missing: such as match = "*.css"`)
		}
		match, err := regexp.Compile(expression(one.Match))
		if err != nil {
			return nil, fmt.Errorf("match %q: is not text", one.Match)
		}
		if err := one.Options.over(all).check(); err != nil {
			return nil, fmt.Errorf("match %q: %w", one.Match, err)
		}
		r.rules = append(r.rules, rule{match: match, base: !strings.Contains(one.Match, "/"), options: one.Options})
	}
	return r, nil
}

// expression makes a regular expression of a pattern.
func expression(pattern string) string {
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	for rest := pattern; rest != ""; {
		switch {
		case strings.HasPrefix(rest, "**"):
			b.WriteString(".*")
			rest = rest[2:]
			continue
		case rest[0] == '*':
			b.WriteString("[^/]*")
		case rest[0] == '?':
			b.WriteString("[^/]")
		default:
			end := strings.IndexAny(rest, "*?")
			if end < 0 {
				end = len(rest)
			}
			b.WriteString(regexp.QuoteMeta(rest[:end]))
			rest = rest[end:]
			continue
		}
		rest = rest[1:]
	}
	b.WriteString(`\z`)
	return b.String()
}

// Headers are those of the object key, if it is created at that time.
func (r *Rules) Headers(key string, now time.Time) store.Headers {
	o := r.all
	name := key[strings.LastIndexByte(key, '/')+1:]
	for _, one := range r.rules {
		if one.match.MatchString(key) || one.base && one.match.MatchString(name) {
			o = one.options.over(o)
		}
	}
	return o.Headers(now)
}

// Empty: no object gets anything.
func (r *Rules) Empty() bool { return len(r.rules) == 0 && len(r.all.given) == 0 }
