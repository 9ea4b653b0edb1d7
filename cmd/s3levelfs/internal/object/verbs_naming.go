package object

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/levels"
)

// nameFlags make keys of files' names.
func nameFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "file-to-key", Usage: "make the key by `TEMPLATE`, which is put behind KEY: {name} of the file, {stem} and {ext} of it, {dir} (last element), {size} (bytes), {date} (UTC, 2006-01-02)"},
		&cli.BoolFlag{Name: "escape-spaces", Usage: "write white space in keys as _"},
	}
}

// naming is how files' names become keys (Amplify's fileToKey).
type naming struct {
	template string
	escapes  bool
	now      time.Time
}

func newNaming(c *cli.Context) (*naming, error) {
	n := &naming{template: c.String("file-to-key"), escapes: c.Bool("escape-spaces"), now: time.Now()}
	return n, n.valid()
}

// fields are what a template may name, as the mount makes key elements of names. A dot that begins a name begins no extension.
func (n *naming) fields(file string, size int64) map[string]string {
	abs, err := filepath.Abs(file)
	if err != nil {
		abs = file
	}
	base := element(filepath.Base(file))
	ext := filepath.Ext(strings.TrimPrefix(base, "."))
	return map[string]string{
		"name": base, "stem": strings.TrimSuffix(base, ext), "ext": strings.TrimPrefix(ext, "."),
		"dir": element(filepath.Base(filepath.Dir(abs))), "size": fmt.Sprint(size), "date": n.now.UTC().Format(time.DateOnly),
	}
}

// element is what a name is in a key; one that no key is shown by stays as it is.
func element(name string) string {
	if e, err := levels.Unescape(name); err == nil {
		return e
	}
	return name
}

// expand puts fields into the template.
func (n *naming) expand(fields map[string]string) (string, error) {
	var b strings.Builder
	for rest := n.template; rest != ""; {
		text, behind, open := strings.Cut(rest, "{")
		b.WriteString(text)
		if !open {
			break
		}
		field, after, closed := strings.Cut(behind, "}")
		value, known := fields[field]
		if !closed || !known {
			return "", cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("--file-to-key: %q has {%s}, which is none of {name} {stem} {ext} {dir} {size} {date}", n.template, field))
		}
		b.WriteString(value)
		rest = after
	}
	return b.String(), nil
}

func (n *naming) valid() error {
	_, err := n.expand(n.fields("x", 0))
	return err
}

// name is what a file is called by the template.
func (n *naming) name(file string) (string, error) {
	if file == "-" {
		return n.expand(n.fields("stdin", 0))
	}
	info, err := os.Stat(file)
	if err != nil {
		return "", err
	}
	return n.expand(n.fields(file, info.Size()))
}

// escape is the documented rule: each white space becomes an underscore.
func (n *naming) escape(name string) string {
	if !n.escapes {
		return name
	}
	return strings.Map(spaceToMark, name)
}

// spaceToMark knows what JavaScript's \s matches, as Amplify's components escape by it.
func spaceToMark(r rune) rune {
	if strings.ContainsRune(" \t\n\v\f\r\u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff", r) || r >= 0x2000 && r <= 0x200a {
		return '_'
	}
	return r
}
