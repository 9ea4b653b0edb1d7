package command_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/s3levelfs/s3levelfs/internal/command"
)

func TestSplit(t *testing.T) {
	for _, c := range []struct {
		line string
		want []string
		err  error
	}{
		{line: "a b\tc\n", want: []string{"a", "b", "c"}},
		{line: `sh -c 'cat >> "$HOME/x" | wc'`, want: []string{"sh", "-c", `cat >> "$HOME/x" | wc`}},
		{line: `"a b"c '' ""`, want: []string{"a bc", "", ""}},
		{line: `a\ b "q\"\\\n" '\'`, want: []string{"a b", `q"\\n`, `\`}},
		{line: `$HOME/*.sh ~ ; x`, want: []string{"$HOME/*.sh", "~", ";", "x"}},
		{line: " \t", err: command.ErrEmpty},
		{line: `'' x`, err: command.ErrEmpty},
		{line: `a "b`, err: command.ErrQuote},
		{line: `a 'b`, err: command.ErrQuote},
		{line: `a \`, err: command.ErrQuote},
	} {
		got, err := command.Split(c.line)
		if !slices.Equal(got, c.want) || !errors.Is(err, c.err) {
			t.Errorf("Split(%q) = %q, %v; want %q, %v", c.line, got, err, c.want, c.err)
		}
	}
}

// What a shell's quoting says as one word is one word.
func TestSplitTakesBackQuoting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.StringMatching(`[ -~\t]{0,12}`), 1, 6).Draw(t, "words")
		words[0] += "x" // the program
		quoted := make([]string, len(words))
		for i, w := range words {
			quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		got, err := command.Split(strings.Join(quoted, " "))
		if err != nil || !slices.Equal(got, words) {
			t.Fatalf("%q, %v, want %q", got, err, words)
		}
	})
}
