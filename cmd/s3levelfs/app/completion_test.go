package app

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/store/memstore"
)

// completions are words that are typed, the last one not to its end, and what fits then; nothing is where files may stand.
func completions() []struct {
	typed string
	want  []string
} {
	return []struct {
		typed string
		want  []string
	}{
		{"um", []string{"umount"}},
		{"spool ", []string{"ls", "retry", "export", "discard"}},
		{"vault st", []string{"stat"}},
		{"completion ", []string{"bash", "zsh", "fish"}},
		{"mount --metadata", []string{"--metadata", "--metadata-ttl"}},
		{"mount --on-conflict ", []string{"keep-both", "overwrite", "fail"}},
		{"mount --on-conflict=k", []string{"--on-conflict=keep-both"}},
		{"cp --to-level pri", []string{"private"}},
		{"put --part-streams 4 --prevent", nil},
		{"put --part-streams 4 --if-", []string{"--if-none-match", "--if-match"}},
		{"put fi", nil},
		{"mount --cache-dir ", nil},
		{"ls -- ", nil},
		{"nonsense ", nil},
		{"__com", nil},
	}
}

// TestCandidates: what fits behind commands, options and their values.
func TestCandidates(t *testing.T) {
	for _, c := range completions() {
		var got []string
		for _, one := range candidates(newApp().Commands, strings.Split(c.typed, " ")) {
			got = append(got, one.word)
		}
		slices.Sort(got)
		want := slices.Sorted(slices.Values(c.want))
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", c.typed, got, want)
		}
	}
}

// TestCompleteTakesOptionsAsWords: the command that the scripts call gets options of others as they are.
func TestCompleteTakesOptionsAsWords(t *testing.T) {
	out, code := command(t, memstore.New(memstore.Config{}))("__complete", "mount", "--level", "pri")
	if code != cmdline.ExitOK || out != "private\t\n" {
		t.Errorf("%d: %q", code, out)
	}
}

// shells are how each shell is asked what fits: the script is read in, the typed words follow.
func shells() map[string][]string {
	const bash = `source "$1"; IFS=' ' read -ra COMP_WORDS <<<"s3levelfs $2"; [[ $2 == *' ' ]] && COMP_WORDS+=("")
		COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _s3levelfs; printf '%s\n' "${COMPREPLY[@]}"`
	const zsh = `compdef() { :; }; _files() { :; }; _describe() { printf '%s\n' "${(@P)2}" | sed 's/:.*//'; }
		source "$1"; words=(s3levelfs "${(@s: :)2}"); CURRENT=$#words; _s3levelfs`
	const fish = `source $argv[1]; complete -C "s3levelfs $argv[2]" | string replace -r '\t.*' ''; true`
	return map[string][]string{"bash": {"--norc", "-c", bash, "bash"}, "zsh": {"-f", "-c", zsh, "zsh"}, "fish": {"--no-config", "-c", fish}}
}

// TestCompletionInShells: the scripts work in the shells themselves.
func TestCompletionInShells(t *testing.T) {
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(bin, "s3levelfs"), "github.com/s3levelfs/s3levelfs/cmd/s3levelfs")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	env := append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "HOME="+t.TempDir())
	for shell, args := range shells() {
		script := filepath.Join(t.TempDir(), "script")
		text, err := exec.Command(filepath.Join(bin, "s3levelfs"), "completion", shell).Output()
		if err == nil {
			err = os.WriteFile(script, text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, typed := range []string{"um", "spool ", "mount --metadata", "mount --on-conflict ", "cp --to-level pri"} {
			cmd := exec.Command(shell, append(slices.Clone(args), script, typed)...)
			cmd.Env, cmd.Dir = env, t.TempDir()
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%s, %q: %v: %s", shell, typed, err, out)
			}
			i := slices.IndexFunc(completions(), func(c struct {
				typed string
				want  []string
			},
			) bool {
				return c.typed == typed
			})
			want := slices.Sorted(slices.Values(completions()[i].want))
			if got := slices.Sorted(strings.FieldsSeq(string(out))); !slices.Equal(got, want) {
				t.Errorf("%s, %q: %q, want %q", shell, typed, got, want)
			}
		}
	}
}
