package object

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"sync"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/backend"
	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/internal/config"
	"github.com/s3levelfs/s3levelfs/internal/tracking"
	"github.com/s3levelfs/s3levelfs/internal/transfer"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
)

// verb is a command without a mount that works on the objects of one area.
type verb struct {
	*area
	ctx     context.Context //nolint:containedctx // of the one run of a command
	bucket  string
	backend *backend.Backend
	client  *transfer.Client
	track   *tracking.Recorder // nil: nobody wants it
	ends    []func()

	command string       // its name
	notice  func(string) // writes one line to standard error

	mu  sync.Mutex // of out
	out io.Writer

	settings *config.Loaded
}

// keysHelp is what the help of all of them says of keys.
const keysHelp = "A KEY is the object's, below the level: it is taken as it is (a//b, .., a slash at its end), nothing is normalised."

// levelFlags say which objects a command means.
func levelFlags(more ...cli.Flag) []cli.Flag {
	return append(append(more,
		&cli.StringFlag{Name: "level", Value: "public", Usage: "`LEVEL` of the keys: public, protected or private", DefaultText: "--default-level, else public"},
		&cli.StringFlag{Name: "owner", Usage: "the protected files of this identity `ID`; default: the own ones"},
		cmdline.JSONFlag(),
	), cmdline.GroupFlags(config.GroupStore, config.GroupTrack, config.GroupLog)...)
}

// openMany is openVerb for what lists first where --recursive is given.
func openMany(c *cli.Context, want levels.Perm) (*verb, error) {
	if c.Bool("recursive") {
		want |= levels.List
	}
	return openVerb(c, want)
}

// openVerb reads the settings of a command and opens the bucket. want is what it needs to be granted.
func openVerb(c *cli.Context, want levels.Perm) (*verb, error) {
	cfg, err := loadLevelConfig(c)
	if err != nil {
		return nil, err
	}
	if cfg.Local != "" && !want.Has(levels.Put) {
		if _, err := os.Stat(cfg.Local); err != nil { // a mount or a put would make it, a look does not
			return nil, cmdline.WithCode(cmdline.ExitConfig, fmt.Errorf("--local: there is no data: %w", err))
		}
	}
	target, err := backend.TrackingTarget(cfg, !givesBytes(c))
	if err != nil {
		return nil, err
	}
	v := &verb{out: c.App.Writer, command: c.Command.Name, notice: noticeTo(c.App.ErrWriter)}
	ok := false
	defer func() {
		if !ok {
			v.close()
		}
	}()
	var stop context.CancelFunc
	v.ctx, stop = signal.NotifyContext(c.Context, unix.SIGINT, unix.SIGTERM)
	v.ends = append(v.ends, stop)
	context.AfterFunc(v.ctx, stop) // the second signal ends the process
	log, closeLog, err := backend.OpenLog(cfg, "")
	if err != nil {
		return nil, err
	}
	v.ends = append(v.ends, closeLog)
	if v.backend, err = backend.OpenStore(v.ctx, cfg, log); err != nil {
		return nil, err
	}
	v.ends = append(v.ends, func() { _ = v.backend.Store.Close() })
	if v.track, err = backend.OpenTracking(v.ctx, cfg, target, v.backend.Credentials, v, log); err != nil {
		return nil, err
	}
	v.ends = append(v.ends, v.track.Close)
	v.bucket = cfg.Bucket
	if v.area, err = newArea(v.backend.Policy, c.String("level"), c.String("owner")); err != nil {
		return nil, err
	}
	if err := v.may(want); err != nil {
		return nil, err
	}
	show, end, err := showProgress(c, v.area)
	if err != nil {
		return nil, err
	}
	v.ends = append(v.ends, end)
	v.client = transfer.New(v.backend.Store, transfer.Config{
		Attempts: cfg.MaxAttempts, Streams: c.Int("part-streams"), DropTags: c.Bool("drop-tags"), Progress: show,
		State: filepath.Join(cfg.StateBase(), "puts"), Scope: config.Partition(cfg.Owner(v.backend.Identity.ID)), Notice: v.notice,
	})
	v.settings, ok = cfg, true
	return v, nil
}

// noticeTo says what a command goes on without, or has not done.
func noticeTo(w io.Writer) func(string) {
	return func(text string) { _, _ = fmt.Fprintln(w, "s3levelfs: "+cmdline.Printable(text)) }
}

// close ends what openVerb has begun, the last thing first.
func (v *verb) close() {
	for _, end := range slices.Backward(v.ends) {
		end()
	}
	v.ends = nil
}

// givesBytes tells whether a command writes objects to standard output.
func givesBytes(c *cli.Context) bool {
	return c.Command.Name == "cat" || c.Command.Name == "get" && c.Args().Get(1) == "-"
}

// Write writes whole lines to standard output, between those of print.
func (v *verb) Write(p []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.out.Write(p)
}

// print writes one JSON document on a line of its own.
func (v *verb) print(doc any) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return cmdline.PrintLine(v.out, doc)
}

// explainFailure says in one line what has failed: the key, or the file, and the mend.
func (v *verb) explainFailure(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errStreamInterrupted):
		return err
	case v.ctx.Err() != nil:
		return errors.New("interrupted: the same command again goes on with what it had begun")
	case errors.Is(err, transfer.ErrExists):
		return cmdline.WithCode(cmdline.ExitExists, err)
	case errors.Is(err, transfer.ErrTags):
		return cmdline.WithCode(cmdline.ExitPermission, err)
	}
	if _, ok := errors.AsType[*cmdline.CodedError](err); ok {
		return err
	}
	e, ok := errors.AsType[*store.Error](err)
	switch {
	case !ok: // of this machine: a file, standard output
		return err
	case errors.Is(e.Kind, fs.ErrNotExist) && !errors.Is(err, store.ErrNoBucket):
		return fmt.Errorf("key %q: no such object in level %s of bucket %s: `s3levelfs ls` lists what there is", v.name(e.Key), v.level, v.bucket)
	case errors.Is(err, store.ErrPermission):
		return cmdline.WithCode(cmdline.ExitPermission, fmt.Errorf("bucket %s: %w: these credentials may not, or the object does not exist: see `s3levelfs access`", v.bucket, err))
	}
	return backend.Describe(err, v.bucket)
}

// oneKey is the key of the only argument of a command.
func (v *verb) oneKey(c *cli.Context) (string, error) {
	if c.NArg() != 1 {
		return "", usageOf(c)
	}
	return v.key(c.Args().First())
}

// usageOf says what a command's arguments are.
func usageOf(c *cli.Context) error {
	return cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("%s takes %s, got %s: see `s3levelfs %s -h`",
		c.Command.Name, c.Command.ArgsUsage, cmdline.Plural(c.NArg(), "argument"), c.Command.Name))
}

// StorageCommands work on objects without a mount.
func StorageCommands() []*cli.Command {
	return []*cli.Command{
		putCommand(), getCommand(), lsCommand(), rmCommand(), cpCommand(), mvCommand(), statCommand(), catCommand(), urlCommand(),
	}
}
