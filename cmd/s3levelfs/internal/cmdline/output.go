package cmdline

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"
)

// Version is that of the program: the linker sets it.
var Version = "devel"

// PrintJSON writes one JSON document, indented for people when out is a terminal's.
func PrintJSON(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// PrintLine writes one JSON document in one line, as scripts read many of them.
func PrintLine(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// BytesText writes a size for people.
func BytesText(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }

// Ago writes how long ago a time was.
func Ago(t time.Time) string { return time.Since(t).Round(time.Second).String() + " ago" }

// Plural writes a count with its noun.
func Plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// IsTerminal reports whether somebody sits at f: progress may be drawn, questions asked.
func IsTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// Printable makes a name safe for a terminal: control characters are escaped.
func Printable(name string) string {
	if strings.IndexFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd }) < 0 {
		return name
	}
	return fmt.Sprintf("%q", name)
}

// VersionCommand is `version`.
// VersionCommand is `version`.
func VersionCommand() *cli.Command {
	return &cli.Command{
		Name:  "version",
		Usage: "print the version",
		Flags: []cli.Flag{JSONFlag()},
		Action: func(c *cli.Context) error {
			if c.Bool("json") {
				return PrintJSON(c.App.Writer, map[string]string{"version": Version})
			}
			_, err := fmt.Fprintln(c.App.Writer, "s3levelfs "+Version)
			return err
		},
	}
}

// OneLine makes one line of a text.
func OneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// Quoted is a word for a shell.
func Quoted(s string) string {
	if s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@%+=,", r)
	}) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
