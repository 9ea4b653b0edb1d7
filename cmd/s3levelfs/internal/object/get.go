package object

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/internal/tracking"
	"github.com/s3levelfs/s3levelfs/internal/transfer"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
)

func getCommand() *cli.Command {
	return &cli.Command{
		Name:      "get",
		Usage:     "get an object into a file or to standard output, or a folder, without a mount",
		ArgsUsage: "KEY [FILE|-], or -r FOLDER [DIR]",
		Description: "FILE is by default the key's last element, in the working directory, or in the directory FILE. It gets its name when all of it has\n" +
			"come, of one version, and is what the store has a checksum of (where it has one). After an interruption the same get goes on\n" +
			"behind what has come, which lies beside FILE as .s3levelfs-….part.\n" + keysHelp + "\n" +
			"With -r each object below FOLDER (\"\" is the level itself) becomes a file below DIR (default: the working directory). What is no file\n" +
			"name is written as the mount writes it (a//b is a/‛2F/b); nothing is written outside of DIR. " + sameHelp("fetched"),
		Flags:  levelFlags(append(manyFlags(), rangeFlag(), transferProgressFlag())...),
		Action: get,
	}
}

func rangeFlag() cli.Flag {
	return &cli.StringFlag{Name: "range", Usage: "only the bytes `FIRST-LAST`, counted from 0, LAST included; FIRST- to the end, -N the last N"}
}

// parseRange reads a range as HTTP has them. Source: RFC 9110, section 14.1.2.
func parseRange(text string) (transfer.GetOptions, error) {
	if text == "" {
		return transfer.GetOptions{}, nil
	}
	bad := cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("--range: %q is not FIRST-LAST, FIRST- or -N", text))
	first, last, ok := strings.Cut(strings.TrimPrefix(text, "bytes="), "-")
	from, err1 := strconv.ParseUint(first, 10, 62)
	to, err2 := strconv.ParseUint(last, 10, 62)
	switch {
	case !ok:
		return transfer.GetOptions{}, bad
	case first == "" && err2 == nil && to > 0:
		return transfer.GetOptions{Suffix: int64(to)}, nil
	case last == "" && err1 == nil:
		return transfer.GetOptions{Range: &store.Range{Off: int64(from), Len: -1}}, nil
	case err1 == nil && err2 == nil && from <= to:
		return transfer.GetOptions{Range: &store.Range{Off: int64(from), Len: int64(to - from + 1)}}, nil
	}
	return transfer.GetOptions{}, bad
}

func get(c *cli.Context) error {
	if err := checkMany(c); err != nil {
		return err
	}
	o, err := parseRange(c.String("range"))
	if err != nil {
		return err
	}
	v, err := openMany(c, levels.Get)
	if err != nil {
		return err
	}
	defer v.close()
	if c.NArg() < 1 || c.NArg() > 2 {
		return usageOf(c)
	}
	if c.Bool("recursive") {
		return v.getTree(c)
	}
	key, err := v.key(c.Args().First())
	if err != nil {
		return err
	}
	got, file, err := v.getOne(c, key, c.Args().Get(1), o)
	v.track.Track(tracking.Download(got.Size, err))
	if err != nil {
		return v.explainFailure(err)
	}
	if file != "-" && c.Bool("json") {
		return v.print(gotten{Key: v.name(key), File: file, Size: got.Size, ETag: got.ETag})
	}
	return nil
}

// gotten is what get --json prints of a file.
type gotten struct {
	Key  string `json:"key"`
	File string `json:"file"`
	Size int64  `json:"size"` // bytes, of the object
	ETag string `json:"eTag"`

	Unchanged bool `json:"unchanged,omitempty"` // the file had its bytes already, and nothing was fetched
}

// getOne gets one object to where the arguments say.
func (v *verb) getOne(c *cli.Context, key, file string, o transfer.GetOptions) (got store.Object, to string, err error) {
	if file == "-" {
		got, err = v.client.Get(v.ctx, key, c.App.Writer, o)
		return got, file, err
	}
	info, err := os.Stat(cmpOr(file, "."))
	if err == nil && info.IsDir() {
		file = filepath.Join(file, levels.Escape(path.Base("/"+v.name(key))))
		info, err = os.Stat(file)
	}
	if err == nil && info.IsDir() {
		return got, file, cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("%s: is a directory: name the FILE that key %q is to become", file, v.name(key)))
	}
	special := err == nil && !info.Mode().IsRegular()
	if !special {
		root, err := os.OpenRoot(filepath.Dir(file))
		if err != nil {
			return got, file, err
		}
		defer func() { _ = root.Close() }()
		if o.Range == nil && o.Suffix == 0 {
			got, err = v.client.GetFile(v.ctx, key, root, filepath.Base(file))
		} else {
			got, err = v.client.GetRangeFile(v.ctx, key, root, filepath.Base(file), o)
		}
		return got, file, err
	}
	out, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return got, file, err
	}
	got, err = v.client.Get(v.ctx, key, out, o)
	return got, file, errors.Join(err, out.Close())
}

func cmpOr(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
