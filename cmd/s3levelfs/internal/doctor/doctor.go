package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/internal/config"
)

// The levels of a finding. Only a problem counts for the exit code.
const (
	levelOK      = "ok"
	levelNote    = "note"
	levelProblem = "problem"
)

// finding is what one look has shown.
type finding struct {
	Check string `json:"check"` // what was looked at
	Level string `json:"level"` // ok, note, problem
	Thing string `json:"thing"` // file, directory, mount, bucket
	Value string `json:"value"` // what is the case
	Mend  string `json:"mend,omitempty"`
}

func good(check, thing, value string, args ...any) finding {
	return finding{Check: check, Level: levelOK, Thing: thing, Value: fmt.Sprintf(value, args...)}
}

func note(check, thing, mend, value string, args ...any) finding {
	return finding{Check: check, Level: levelNote, Thing: thing, Value: fmt.Sprintf(value, args...), Mend: mend}
}

func problem(check, thing, mend, value string, args ...any) finding {
	return finding{Check: check, Level: levelProblem, Thing: thing, Value: fmt.Sprintf(value, args...), Mend: mend}
}

// storeTimeout bounds what doctor asks of the network, each question.
const storeTimeout = 15 * time.Second

// Command is `doctor`: it looks for what is wrong with the machine or the set-up.
func Command() *cli.Command {
	return &cli.Command{
		Name:      "doctor",
		Usage:     "tell what is wrong with this machine or set-up, and how to mend it",
		ArgsUsage: " ",
		Description: "Looks, and changes nothing: no file is made, nothing is unmounted, uploaded or removed. It looks at\n\n" +
			"   /dev/fuse, fusermount3 (who is not root needs it), user_allow_other (with --allow-other), the limit of open files\n" +
			"   the state and cache directories: free room, permissions (what is in them is yours alone)\n" +
			"   mounts whose process has died (\"transport endpoint is not connected\")\n" +
			"   every spool of yours, mounted or not: what waits, what failed and why, what is kept and never uploaded by\n" +
			"   itself, whether its log and files are whole\n" +
			"   with --bucket or --endpoint also the store: which kind of credentials there are (never their values), this\n" +
			"   machine's clock against the server's, whether the bucket answers\n\n" +
			"Each finding names the thing, what is the case, and the mend. A note is worth knowing and needs nothing.\n\n" +
			"   s3levelfs doctor\n" +
			"   s3levelfs doctor --bucket B --endpoint http://127.0.0.1:9000 --identity-id ID\n" +
			"   s3levelfs doctor --json | jq '.[] | select(.level == \"problem\")'\n\n" +
			"Exits with 0 when all is good, with 2 when there is a problem.",
		Flags: append([]cli.Flag{cmdline.JSONFlag()}, append(cmdline.GroupFlags(config.GroupStore),
			cmdline.NamedFlags("state-dir", "cache-dir", "allow-other", "spool-keep-free")...)...),
		Action: doctor,
	}
}

func doctor(c *cli.Context) error {
	if c.NArg() > 0 {
		return cmdline.WithCode(cmdline.ExitUsage, errors.New("doctor takes no arguments, only options: see `s3levelfs doctor -h`"))
	}
	cfg, err := cmdline.LoadConfig(c)
	if err != nil {
		return err
	}
	found := examine(c.Context, cfg)
	problems := 0
	for _, f := range found {
		if f.Level == levelProblem {
			problems++
		}
	}
	if c.Bool("json") {
		err = cmdline.PrintJSON(c.App.Writer, found)
	} else {
		err = writeFindings(c.App.Writer, found)
	}
	if err == nil && problems > 0 {
		err = cmdline.WithCode(cmdline.ExitFound, fmt.Errorf("%s found", cmdline.Plural(problems, "problem")))
	}
	return err
}

// examine makes all looks, the machine first.
func examine(ctx context.Context, cfg *config.Loaded) []finding {
	found := []finding{checkProgram()}
	found = append(found, checkFuse()...)
	if cfg.AllowOther {
		found = append(found, checkAllowOther("/etc/fuse.conf", unix.Geteuid()))
	}
	found = append(found, checkOpenFiles())
	found = append(found, checkDirs(cfg)...)
	found = append(found, checkMounts()...)
	found = append(found, checkSpools(ctx, cfg)...)
	if cfg.Bucket != "" || cfg.Endpoint != "" {
		found = append(found, checkStore(ctx, cfg)...)
	}
	return found
}

func checkProgram() finding {
	kernel := "an unknown kernel"
	var u unix.Utsname
	if err := unix.Uname(&u); err == nil {
		kernel = unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
	}
	return good("program", "s3levelfs "+cmdline.Version, "%s, %s on %s", runtime.Version(), kernel, runtime.GOARCH)
}

// writeFindings is for people: problems are hard to miss, and each has its mend below it.
func writeFindings(w io.Writer, found []finding) error {
	for _, f := range found {
		if _, err := fmt.Fprintf(w, "%-8s %-16s %s: %s\n", f.Level, f.Check, cmdline.Printable(f.Thing), cmdline.OneLine(f.Value)); err != nil {
			return err
		}
		if f.Mend != "" {
			if _, err := fmt.Fprintf(w, "%25s -> %s\n", "", f.Mend); err != nil {
				return err
			}
		}
	}
	return nil
}
