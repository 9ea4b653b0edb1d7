package hostile

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/tests/rig"
)

// TestKeysOfCommands: each command takes 200 hostile keys as they are.
func TestKeysOfCommands(t *testing.T) {
	l := mountLevels()[2]
	keys := drawKeys(t, l.prefix, fixedSeed, randomSeed(t))
	memBucket(t, keys).byCommands(t, l, keys)
}

// program runs a command on keys of a level, which follow "--".
func (b *bucket) program(t *testing.T, l level, verb string, options []string, keys ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), rig.CommandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, rig.Bin, append(append([]string{verb, "--level", l.name}, options...), append([]string{"--"}, keys...)...)...)
	cmd.Env = append(append(os.Environ(), b.env...), "HOME="+filepath.Dir(rig.Bin))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s %.200q: %w: %s", verb, keys, err, stderr.String())
	}
	return string(out), err
}

// byCommands does everything that commands can do with keys, and compares.
func (b *bucket) byCommands(t *testing.T, l level, keys map[string]string) {
	b.list(t, l, keys)
	names := slices.Sorted(maps.Keys(keys))
	for i := range names {
		names[i] = strings.TrimPrefix(names[i], l.prefix)
	}
	dir := t.TempDir()
	keys = maps.Clone(keys)
	type change struct{ from, to, content string }
	changes := make([]change, len(names))
	var g errgroup.Group
	g.SetLimit(3)
	for i, name := range names {
		content := keys[l.prefix+name]
		changes[i] = change{name, name, "put " + content}
		if to := "moved/" + name; len(l.prefix+to) <= levels.MaxKey {
			changes[i].to = to
		}
		g.Go(func() error {
			return b.oneKey(t, l, filepath.Join(dir, fmt.Sprint(i)), name, changes[i].to, content)
		})
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	b.ops += 6 * len(names)
	for _, c := range changes {
		keys[l.prefix+c.to] = c.content
	}
	wantSame(t, "after cp, put and mv", keys, b.contents())
	b.catAndRemove(t, l, keys)
	t.Logf("%d keys, %d operations were compared", len(names), b.ops)
}

// list compares ls with the model, in the order of the keys.
func (b *bucket) list(t *testing.T, l level, keys map[string]string) {
	t.Helper()
	out, err := b.program(t, l, "ls", []string{"--json"})
	var listed []struct {
		Key  string
		Size int
	}
	if err != nil || json.Unmarshal([]byte(out), &listed) != nil {
		t.Fatalf("ls: %v: %.300s", err, out)
	}
	got, want := map[string]string{}, map[string]string{}
	for _, o := range listed {
		got[o.Key] = fmt.Sprint(o.Size)
	}
	for key, content := range keys {
		want[strings.TrimPrefix(key, l.prefix)] = fmt.Sprint(len(content))
	}
	wantSame(t, "ls", want, got)
	b.ops += len(listed)
}

// oneKey gets, describes and links to an object, copies it, stores other bytes in the copy's place, and moves that.
func (b *bucket) oneKey(t *testing.T, l level, file, name, to, content string) error {
	if _, err := b.program(t, l, "get", nil, name, file); err != nil {
		return err
	}
	text, err := os.ReadFile(file)
	if err != nil || string(text) != content {
		return fmt.Errorf("get %.200q: %.100q, %w; want %.100q", name, text, err, content)
	}
	out, err := b.program(t, l, "stat", nil, name)
	var o struct {
		Key  string
		Size int
	}
	if err != nil || json.Unmarshal([]byte(out), &o) != nil || o.Key != name || o.Size != len(content) {
		return fmt.Errorf("stat %.200q: %w: %.300s", name, err, out)
	}
	if out, err = b.program(t, l, "url", nil, name); err != nil {
		return err
	}
	if got, err := open(t.Context(), strings.TrimSpace(out)); err != nil || got != content {
		return fmt.Errorf("url %.200q: %.100q, %w; want %.100q", name, got, err, content)
	}
	if err := os.WriteFile(file, []byte("put "+content), 0o600); err != nil {
		return err
	}
	if to == name { // there is no longer key to move it to
		_, err := b.program(t, l, "put", nil, file, name)
		return err
	}
	copied := "copy" + to[len("move"):]
	for _, step := range [][]string{{"cp", name, copied}, {"put", file, copied}, {"mv", copied, to}} {
		if _, err := b.program(t, l, step[0], nil, step[1:]...); err != nil {
			return err
		}
	}
	return nil
}

// open gets what a URL leads to.
func open(ctx context.Context, url string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, text)
	}
	return string(text), err
}

// catAndRemove reads and removes all keys, many of them a command.
func (b *bucket) catAndRemove(t *testing.T, l level, keys map[string]string) {
	t.Helper()
	left := maps.Clone(keys)
	for chunk := range slices.Chunk(slices.Sorted(maps.Keys(keys)), keyCount/4) {
		var names []string
		want := ""
		for _, key := range chunk {
			names = append(names, strings.TrimPrefix(key, l.prefix))
			want += keys[key]
			delete(left, key)
		}
		if out, err := b.program(t, l, "cat", nil, names...); err != nil || out != want {
			t.Errorf("cat of %d keys: %v, or other bytes", len(names), err)
		}
		if _, err := b.program(t, l, "rm", nil, names...); err != nil {
			t.Error(err)
		}
		wantSame(t, "after rm", left, b.contents())
		b.ops += 2 * len(names)
	}
}
