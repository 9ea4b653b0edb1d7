package app

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/memstore"
)

// TestMoveKeepsTags: mv moves nothing whose tags it may not copy, says how it can be moved, and does that with --drop-tags.
func TestMoveKeepsTags(t *testing.T) {
	mem := memstore.New(memstore.Config{DenyTags: true})
	for _, key := range []string{"public/from/a", "public/from/b"} {
		mem.PutRaw(key, memstore.Raw{Data: []byte(key), Headers: store.Headers{Tags: "a=1"}})
	}
	mem.PutString("public/from/c", "no tags")
	var said bytes.Buffer
	run := commandTo(t, mem, &said)
	for _, args := range [][]string{{"mv", "from/a", "to/a"}, {"mv", "-r", "from", "to"}} {
		out, code := run(args...)
		if code != cmdline.ExitPermission || len(args) == 3 && !strings.Contains(out, "--drop-tags") {
			t.Errorf("%v: %d, %s", args, code, out)
		}
	}
	if keys := strings.Join(mem.Keys(), " "); keys != "public/from/a public/from/b public/to/c" {
		t.Errorf("moved: %s", keys)
	}
	if out, code := run("mv", "-r", "--drop-tags", "from", "to"); code != cmdline.ExitOK || !strings.Contains(said.String(), "without tags") {
		t.Errorf("%d, %s, said %q", code, out, said.String())
	}
	if keys := strings.Join(mem.Keys(), " "); keys != "public/to/a public/to/b public/to/c" {
		t.Errorf("moved: %s", keys)
	}
}

// TestTreeIntoItself: what cp -r and mv -r would write over another object of their own SOURCE stays, and is named.
func TestTreeIntoItself(t *testing.T) {
	for _, verb := range []string{"cp", "mv"} {
		mem := memstore.New(memstore.Config{})
		run := command(t, mem)
		mem.PutString("public/a/b/b/x", "deep")
		mem.PutString("public/a/b/x", "high")
		if out, code := run(verb, "-r", "--parallel", "1", "a/b", "a"); code == cmdline.ExitOK {
			t.Errorf("%s: %s", verb, out)
		}
		for key, want := range map[string]string{"public/a/b/b/x": "deep", "public/a/x": "high"} {
			if o, ok := mem.Object(key); !ok || string(o.Data) != want {
				t.Errorf("%s: %s is %q", verb, key, o.Data)
			}
		}
	}
}

// TestPutOfNamesBeside: x‛ is how the mount shows a file x beside a directory x. Where it is beside a file it is not put over that one, and below a
// directory of such a name nothing is put.
func TestPutOfNamesBeside(t *testing.T) {
	mem := memstore.New(memstore.Config{})
	run := command(t, mem)
	dir := writeFiles(t, "x", "x‛", "pair/below", "pair‛", "sub/y", "sub/y‛", "d/z", "d‛/z")
	for _, option := range []string{"--escape-spaces=false", "--escape-spaces"} {
		out, code := run("put", "-r", option, dir)
		if code != cmdline.ExitOther || !strings.Contains(out, "3 of 8") {
			t.Errorf("%s: %d, %s", option, code, out)
		}
	}
	for key, want := range map[string]string{"x": "x", "pair": "pair‛", "pair/below": "pair/below", "sub/y": "sub/y", "d/z": "d/z"} {
		if o, _ := mem.Object("public/" + key); string(o.Data) != want {
			t.Errorf("%s is %q", key, o.Data)
		}
	}
	if keys := mem.Keys(); len(keys) != 5 {
		t.Errorf("%q", keys)
	}
}

// TestPutOfAFileNamedDash: in a folder - is a file as any other.
func TestPutOfAFileNamedDash(t *testing.T) {
	mem := memstore.New(memstore.Config{})
	run := command(t, mem)
	t.Chdir(writeFiles(t, "-"))
	for _, args := range [][]string{{"put", "-r", "."}, {"put", "-r", "--file-to-key", "to/{name}", "."}} {
		if out, code := run(args...); code != cmdline.ExitOK {
			t.Errorf("%v: %d, %s", args, code, out)
		}
	}
	for _, key := range []string{"public/-", "public/to/-"} {
		if o, _ := mem.Object(key); string(o.Data) != "-" {
			t.Errorf("%s is %q of %q", key, o.Data, mem.Keys())
		}
	}
}

// TestPutOfADanglingLink: one file that can not be read does not keep the others from being put.
func TestPutOfADanglingLink(t *testing.T) {
	mem := memstore.New(memstore.Config{})
	run := command(t, mem)
	dir := writeFiles(t, "a", "z")
	if err := os.Symlink("nowhere", filepath.Join(dir, "m")); err != nil {
		t.Fatal(err)
	}
	if out, code := run("put", "-r", dir); code != cmdline.ExitOther || !strings.Contains(out, "1 of 3") || len(mem.Keys()) != 2 {
		t.Errorf("%d, %s, %q", code, out, mem.Keys())
	}
	if out, code := run("put", "-r", "--exclude", "m", dir); code != cmdline.ExitOK {
		t.Errorf("without it: %d, %s", code, out)
	}
}

// TestRangeThatFailsKeepsTheFile: get --range replaces a file when the bytes have come, as get does, and leaves nothing else behind.
func TestRangeThatFailsKeepsTheFile(t *testing.T) {
	mem := memstore.New(memstore.Config{})
	run := command(t, mem)
	mem.PutString("public/k", "0123456789")
	dir := writeFiles(t, "keep")
	file := filepath.Join(dir, "keep")
	holds := func(want string) {
		t.Helper()
		got, err := os.ReadFile(file)
		if entries, _ := os.ReadDir(dir); err != nil || string(got) != want || len(entries) != 1 {
			t.Errorf("%q, %v, %v", got, entries, err)
		}
	}
	for _, args := range [][]string{{"--range", "0-1", "missing"}, {"--range", "100-", "k"}} {
		if out, code := run(append(append([]string{"get"}, args...), file)...); code != cmdline.ExitOther {
			t.Errorf("%v: %d, %s", args, code, out)
		}
		holds("keep")
	}
	if out, code := run("get", "--range", "2-4", "k", file); code != cmdline.ExitOK {
		t.Errorf("%d, %s", code, out)
	}
	holds("234")
}

// TestPutOfWhatIsNoFile: a directory and a named pipe are refused at once, by what is to be done.
func TestPutOfWhatIsNoFile(t *testing.T) {
	mem := memstore.New(memstore.Config{})
	run := command(t, mem)
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, mend := range map[string]string{dir: "give -r", pipe: "standard input"} {
		if out, code := run("put", name, "k"); code != cmdline.ExitOther || !strings.Contains(out, mend) || len(mem.Keys()) != 0 {
			t.Errorf("%s: %d, %s, %q", name, code, out, mem.Keys())
		}
	}
}

// TestOptionsOfManyAreNotIgnored: what chooses among many objects is refused where one is named, which it would not choose; and what is of one
// object where many are meant. Nothing is done.
func TestOptionsOfManyAreNotIgnored(t *testing.T) {
	mem := memstore.New(memstore.Config{})
	run := command(t, mem)
	mem.PutString("public/k", "kept")
	dir := writeFiles(t, "f")
	file := filepath.Join(dir, "f")
	for _, args := range [][]string{
		{"rm", "--include", "*.tmp", "k"},
		{"rm", "--exclude", "k", "k"},
		{"rm", "--filter", "tmp", "k"},
		{"rm", "--whole-level", "k"},
		{"mv", "--filter", "tmp", "k", "l"},
		{"cp", "--exclude", "k", "k", "l"},
		{"put", "--include", "*.tmp", file, "l"},
		{"get", "--parallel", "2", "k", file},
		{"get", "-r", "--range", "0-1", "", dir},
		{"put", "-r", "--if-match", "tag", dir},
	} {
		if out, code := run(args...); code != cmdline.ExitUsage || !strings.Contains(out, "-r") {
			t.Errorf("%q: %d, %s", args, code, out)
		}
	}
	if got, err := os.ReadFile(file); len(mem.Keys()) != 1 || err != nil || string(got) != "f" {
		t.Errorf("%q, %q, %v", mem.Keys(), got, err)
	}
}

// TestNothingBelowAFolderIsSaid: a folder in which there is nothing is no error, as S3 has no folders; that nothing was done is said, as the name may be wrong.
func TestNothingBelowAFolderIsSaid(t *testing.T) {
	mem := memstore.New(memstore.Config{})
	var said bytes.Buffer
	run := commandTo(t, mem, &said)
	dir := writeFiles(t)
	for _, args := range [][]string{{"mv", "-r", "typo", "to"}, {"cp", "-r", "typo", "to"}, {"get", "-r", "typo", dir}, {"put", "-r", dir}} {
		said.Reset()
		if out, code := run(args...); code != cmdline.ExitOK || out != "" || said.String() != "s3levelfs: nothing was found to "+args[0]+": is the folder's name right?\n" {
			t.Errorf("%q: %d, %s, said %q", args, code, out, said.String())
		}
	}
	mem.PutString("public/from/k", "x")
	said.Reset()
	if out, code := run("cp", "-r", "from", "to"); code != cmdline.ExitOK || said.Len() != 0 {
		t.Errorf("%d, %s, said %q", code, out, said.String())
	}
}
