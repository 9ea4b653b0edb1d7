package object

import (
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
)

// matchFlags choose among many objects.
func matchFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "include", Usage: "with -r: only what `GLOB` matches (* ? [a-z], ** crosses slashes; without a slash it is of the last element); may be repeated"},
		&cli.StringSliceFlag{Name: "exclude", Usage: "with -r: not what `GLOB` matches, even if --include does; may be repeated"},
		filterFlag("with -r: "),
	}
}

func filterFlag(when string) cli.Flag {
	return &cli.StringFlag{Name: "filter", Usage: when + "only keys in which the regular expression `REGEX` (RE2) finds something"}
}

// matcher chooses names, relative to the folder that is worked on.
type matcher struct {
	include, exclude []glob
	filter           *regexp.Regexp
}

// glob is a pattern of names.
type glob struct {
	re   *regexp.Regexp
	last bool // of the last element alone
}

func newMatcher(c *cli.Context) (*matcher, error) {
	m := &matcher{}
	for _, list := range []struct {
		flag string
		to   *[]glob
	}{{"include", &m.include}, {"exclude", &m.exclude}} {
		for _, text := range c.StringSlice(list.flag) {
			g, err := parseGlob(text)
			if err != nil {
				return nil, cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("--%s: %q is no pattern: %w", list.flag, text, err))
			}
			*list.to = append(*list.to, g)
		}
	}
	if text := c.String("filter"); text != "" {
		re, err := regexp.Compile(text)
		if err != nil {
			return nil, cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("--filter: %q is no regular expression: %w", text, err))
		}
		m.filter = re
	}
	return m, nil
}

// match tells whether a name is wanted.
func (m *matcher) match(name string) bool {
	some := func(list []glob) bool {
		for _, g := range list {
			if g.match(name) {
				return true
			}
		}
		return false
	}
	return (len(m.include) == 0 || some(m.include)) && !some(m.exclude) && (m.filter == nil || m.filter.MatchString(name))
}

// parseGlob reads a pattern: as package path has them, and ** for anything, slashes included.
func parseGlob(text string) (glob, error) {
	if _, err := path.Match(strings.ReplaceAll(text, "**", "*"), ""); err != nil || text == "" {
		return glob{}, path.ErrBadPattern
	}
	var b strings.Builder
	b.WriteString("(?s)^")
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case strings.HasPrefix(text[i:], "**/"):
			b.WriteString("(?:.*/)?")
			i += 2
		case strings.HasPrefix(text[i:], "**"):
			b.WriteString(".*")
			i++
		case c == '*':
			b.WriteString("[^/]*")
		case c == '?':
			b.WriteString("[^/]")
		case c == '[':
			end := i + 2 + strings.IndexByte(text[i+2:], ']')
			b.WriteString(text[i : end+1])
			i = end
		case c == '\\':
			i++
			b.WriteString(regexp.QuoteMeta(text[i : i+1]))
		default:
			b.WriteString(regexp.QuoteMeta(text[i : i+1]))
		}
	}
	re, err := regexp.Compile(b.String() + "$")
	return glob{re, !strings.Contains(text, "/")}, err
}

func (g glob) match(name string) bool {
	if g.last {
		name = path.Base(strings.TrimSuffix(name, "/"))
	}
	return g.re.MatchString(name)
}
