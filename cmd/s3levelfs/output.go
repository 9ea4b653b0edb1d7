package main

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

// printJSON writes one JSON document, indented for people when out is a terminal's.
func printJSON(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// printLine writes one JSON document in one line, as scripts read many of them.
func printLine(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// bytesText writes a size for people.
func bytesText(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }

// ago writes how long ago a time was.
func ago(t time.Time) string { return time.Since(t).Round(time.Second).String() + " ago" }

// plural writes a count with its noun.
func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// isTerminal reports whether somebody sits at f: progress may be drawn, questions asked.
func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// printable makes a name safe for a terminal: control characters are escaped.
func printable(name string) string {
	if strings.IndexFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd }) < 0 {
		return name
	}
	return fmt.Sprintf("%q", name)
}

func versionCommand() *cli.Command {
	return &cli.Command{
		Name:  "version",
		Usage: "print the version",
		Flags: []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			if c.Bool("json") {
				return printJSON(c.App.Writer, map[string]string{"version": version})
			}
			_, err := fmt.Fprintln(c.App.Writer, "s3levelfs "+version)
			return err
		},
	}
}
