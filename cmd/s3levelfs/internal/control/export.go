package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/internal/telemetry"
)

// ErrNotDir: a path leads through something that is no directory.
const ErrNotDir = unix.ENOTDIR

// rangesExt is added to the name of a file of which only parts exist.
const rangesExt = ".ranges"

// exported is what `spool export --json` says, and but for the names of files what FILE.ranges holds.
type exported struct {
	Key        string                 `json:"key"`
	Generation string                 `json:"generation"`
	File       string                 `json:"file,omitempty"`
	RangesFile string                 `json:"ranges_file,omitempty"`
	Size       int64                  `json:"size"`
	Ranges     []telemetry.SpoolRange `json:"ranges"`
	Unreadable []telemetry.SpoolRange `json:"unreadable,omitempty"` // ours, but the spool's disk does not give it
}

func spoolExport(c *cli.Context) error {
	if c.NArg() != 1 {
		return cmdline.WithCode(cmdline.ExitUsage, errors.New("spool export needs one ID or KEY: `s3levelfs spool ls` lists them"))
	}
	all, err := places(c)
	if err != nil {
		return err
	}
	at, id, err := findGeneration(c.Context, all, c.Args().First(), false)
	if err != nil {
		return err
	}
	var x exported
	err = at.use(c.Context, func(s telemetry.Spooler) (err error) {
		x, err = export(c.Context, s, id, c.String("output"))
		return err
	})
	if err != nil {
		return err
	}
	if c.Bool("json") {
		err = cmdline.PrintJSON(c.App.Writer, x)
	} else {
		_, err = fmt.Fprintf(c.App.Writer, "%s: %s\n", cmdline.Printable(x.File), cmdline.BytesText(x.Size))
		if x.RangesFile != "" {
			_, err = fmt.Fprintf(c.App.Writer, "%s: lists the parts of it that are there\n", cmdline.Printable(x.RangesFile))
		}
	}
	if err == nil && len(x.Unreadable) > 0 {
		err = fmt.Errorf("parts of it can not be read, see %s", cmdline.Printable(x.RangesFile))
	}
	return err
}

// export writes a generation to a new file, and beside it what of it is there if that is not all.
func export(ctx context.Context, s telemetry.Spooler, id, to string) (x exported, err error) {
	f, err := s.SpoolFile(ctx, id)
	if err != nil {
		return x, err
	}
	x = exported{Key: f.Key, Generation: f.Generation, Size: f.Size, Ranges: f.Ranges}
	if x.File, err = exportPath(to, f); err != nil {
		return x, err
	}
	whole := f.Size == 0 || len(f.Ranges) == 1 && f.Ranges[0].Length == f.Size
	if _, err := os.Lstat(x.File + rangesExt); !whole && err == nil {
		return x, fmt.Errorf("%s exists and is not overwritten: give another name with -o", x.File+rangesExt)
	}
	out, err := create(x.File)
	if err != nil {
		return x, err
	}
	defer func() {
		if err = errors.Join(err, out.Close()); err != nil {
			_ = os.Remove(x.File) // ours: it did not exist
		}
	}()
	if x.Unreadable, err = copyRanges(ctx, s, f, out); err != nil {
		return x, err
	}
	if !whole || len(x.Unreadable) > 0 {
		x.RangesFile = x.File + rangesExt
		if err := writeRanges(x); err != nil {
			return x, err
		}
	}
	return x, errors.Join(out.Sync(), syncDir(filepath.Dir(x.File))) // it may be discarded next
}

// exportPath is the file that is meant.
func exportPath(to string, f telemetry.SpoolFile) (string, error) {
	name := path.Base(f.Key)
	if name == "." || name == ".." || name == "/" || strings.ContainsRune(name, 0) {
		name = f.Generation
	}
	if to == "" {
		to = "."
	}
	info, err := os.Stat(to)
	switch {
	case err == nil && info.IsDir():
		return filepath.Join(to, name), nil
	case err == nil || errors.Is(err, fs.ErrNotExist) && !strings.HasSuffix(to, "/"):
		return to, nil
	}
	return "", err
}

// create makes a new file.
func create(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%s exists and is not overwritten: give another name with -o", name)
	}
	return f, err
}

// copyRanges writes the data of f; the rest stays holes. What the spool can not read is listed.
func copyRanges(ctx context.Context, s telemetry.Spooler, f telemetry.SpoolFile, out *os.File) (bad []telemetry.SpoolRange, err error) {
	if err := out.Truncate(f.Size); err != nil {
		return nil, err
	}
	buf := make([]byte, telemetry.MaxSpoolRead)
	for _, r := range f.Data {
		for off, end := r.Offset, r.Offset+r.Length; off < end; {
			p := buf[:min(int64(len(buf)), end-off)]
			err := s.SpoolRead(ctx, f.Generation, p, off)
			if err != nil && !answered(err) {
				return nil, err
			}
			if err != nil {
				bad = append(bad, telemetry.SpoolRange{Offset: off, Length: int64(len(p))})
			} else if _, err := out.WriteAt(p, off); err != nil {
				return nil, err
			}
			off += int64(len(p))
		}
	}
	if len(bad) > 0 { // it may just have been uploaded or discarded
		if _, err := s.SpoolFile(ctx, f.Generation); err != nil {
			return nil, err
		}
	}
	return bad, nil
}

func writeRanges(x exported) error {
	x.File = ""
	name := x.RangesFile
	x.RangesFile = ""
	text, err := json.MarshalIndent(x, "", "  ")
	if err != nil {
		return err
	}
	f, err := create(name)
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		_ = os.Remove(name)
	}
	return err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	if err := d.Sync(); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOTSUP) {
		return err // but for file systems that have no such thing
	}
	return nil
}

// answered: the spool itself says no, not the way to it.
func answered(err error) bool {
	if _, ok := errors.AsType[*telemetry.Refused](err); ok {
		return true
	}
	return !Died(err) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}
