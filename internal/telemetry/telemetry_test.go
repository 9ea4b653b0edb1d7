package telemetry_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/internal/telemetry"
)

type fake struct{ unmounted bool }

func (f *fake) Status(context.Context) (any, error) { return map[string]int{"queued": 3}, nil }
func (f *fake) Explain(_ context.Context, path string) (any, error) {
	if path == "" {
		return nil, errors.New("no such path")
	}
	return map[string]string{"path": path}, nil
}

func (f *fake) Sync(ctx context.Context, path string) (telemetry.Left, error) {
	if path == "stuck" {
		<-ctx.Done()
		return telemetry.Left{}, ctx.Err()
	}
	return telemetry.Left{Files: 2, Bytes: 10, Failed: 1}, nil
}
func (f *fake) Unmount(context.Context) error { f.unmounted = true; return nil }

func (f *fake) SpoolList(context.Context) (telemetry.SpoolList, error) {
	return telemetry.SpoolList{Kept: []telemetry.Kept{{Key: "a b", Generation: "G", Size: 3}}}, nil
}

func (f *fake) SpoolRetry(_ context.Context, keys []string) (int, error) { return len(keys), nil }

func (f *fake) SpoolFile(_ context.Context, id string) (telemetry.SpoolFile, error) {
	if id != "G" {
		return telemetry.SpoolFile{}, errors.New("no such thing")
	}
	return telemetry.SpoolFile{Generation: id, Size: 3, Ranges: []telemetry.SpoolRange{{Length: 3}}}, nil
}

func (f *fake) SpoolRead(_ context.Context, id string, p []byte, off int64) error {
	copy(p, "\x00{}"[off:])
	return nil
}
func (f *fake) SpoolDiscard(context.Context, string) error { return errors.New("full") }

func (f *fake) Watch(ctx context.Context, r telemetry.WatchRequest) (iter.Seq[any], error) {
	if r.Path == "none" {
		return nil, errors.New("no such path")
	}
	return func(yield func(any) bool) {
		if yield(r) && yield(map[string]string{"n": "a<b\n"}) && r.Prefix == "" {
			<-ctx.Done()
		}
	}, nil
}

// The two ends of the socket agree.
func TestSpoolOverTheSocket(t *testing.T) {
	defer goleak.VerifyNone(t)
	socket := filepath.Join(t.TempDir(), "s")
	s, err := telemetry.Serve(socket, &fake{}, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var c telemetry.Spooler = telemetry.Dial(socket)
	l, err := c.SpoolList(t.Context())
	if err != nil || len(l.Kept) != 1 || l.Kept[0].Key != "a b" {
		t.Errorf("list %+v, %v", l, err)
	}
	if n, err := c.SpoolRetry(t.Context(), []string{"a", "b&c"}); n != 2 || err != nil {
		t.Errorf("retry %d, %v", n, err)
	}
	file, err := c.SpoolFile(t.Context(), "G")
	if err != nil || file.Size != 3 || len(file.Ranges) != 1 {
		t.Errorf("file %+v, %v", file, err)
	}
	_, err = c.SpoolFile(t.Context(), "H")
	if _, ok := errors.AsType[*telemetry.Refused](err); !ok || err.Error() != "no such thing" {
		t.Errorf("file of nothing: %v", err)
	}
	p := make([]byte, 2)
	if err := c.SpoolRead(t.Context(), "G", p, 1); err != nil || string(p) != "{}" {
		t.Errorf("read %q, %v", p, err)
	}
	if err := c.SpoolRead(t.Context(), "G", make([]byte, telemetry.MaxSpoolRead+1), 0); err == nil {
		t.Error("a read of any length was answered")
	}
	if err := c.SpoolDiscard(t.Context(), "G"); err == nil || err.Error() != "full" {
		t.Errorf("discard: %v", err)
	}
}

func TestControlSocket(t *testing.T) {
	defer goleak.VerifyNone(t)
	socket := filepath.Join(t.TempDir(), "s")
	f := &fake{}
	s, err := telemetry.Serve(socket, f, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if st, err := os.Stat(socket); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("socket: %v, %v; want mode 0600", st, err)
	}
	c := telemetry.Dial(socket)
	status := map[string]int{}
	if err := c.Status(t.Context(), &status); err != nil || status["queued"] != 3 {
		t.Errorf("status = %v, %v", status, err)
	}
	explained := map[string]string{}
	if err := c.Explain(t.Context(), "a b/%2F", &explained); err != nil || explained["path"] != "a b/%2F" {
		t.Errorf("explain = %v, %v", explained, err)
	}
	if err := c.Explain(t.Context(), "", &explained); err == nil || err.Error() != "no such path" {
		t.Errorf("explain of nothing = %v", err)
	}
	left, err := c.Sync(t.Context(), "", 0)
	if d := cmp.Diff(telemetry.Left{Files: 2, Bytes: 10, Failed: 1}, left); d != "" || err != nil {
		t.Errorf("sync: %v %s", err, d)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Sync(ctx, "stuck", 0); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled sync = %v", err)
	}
	if err := c.Unmount(t.Context()); err != nil || !f.unmounted {
		t.Errorf("unmount = %v, %v", err, f.unmounted)
	}
}

func TestSocketOfADeadProcessIsReplaced(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(socket, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := telemetry.Serve(socket, &fake{}, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}

func TestSocketPathTooLong(t *testing.T) {
	_, err := telemetry.Serve(filepath.Join(t.TempDir(), strings.Repeat("x", 120)), &fake{}, zap.NewNop())
	if err == nil || !strings.Contains(err.Error(), "--state-dir") {
		t.Errorf("got %v", err)
	}
}

func TestRegistryFindsTheLongestMount(t *testing.T) {
	r, err := telemetry.NewRegistry(filepath.Join(t.TempDir(), "run"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"/m", "/m/inner", "/other"} {
		if err := r.Add(telemetry.Mount{Mountpoint: p, PID: os.Getpid()}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ path, mount, rest string }{
		{"/m", "/m", ""},
		{"/m/a/b", "/m", "a/b"},
		{"/m/inner/x", "/m/inner", "x"},
		{"/mm", "", ""},
	} {
		m, rest, ok := r.Find(tt.path)
		if m.Mountpoint != tt.mount || rest != tt.rest || ok != (tt.mount != "") {
			t.Errorf("%s: got %q, %q, %v", tt.path, m.Mountpoint, rest, ok)
		}
	}
	if err := r.Remove("/m", os.Getpid()); err != nil {
		t.Fatal(err)
	}
	if _, _, ok := r.Find("/m/a"); ok {
		t.Error("removed mount is found")
	}
}

func TestRegistryForgetsDeadMounts(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	if mounts, err := telemetry.LookUp(dir); mounts != nil || err != nil {
		t.Errorf("a look at nothing: %v, %v", mounts, err)
	}
	r, err := telemetry.NewRegistry(dir)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if err := r.Add(telemetry.Mount{Mountpoint: "/dead", PID: cmd.Process.Pid}); err != nil {
		t.Fatal(err)
	}
	for _, left := range []int{1, 0} { // a look leaves the entry, the list removes it
		list := func() ([]telemetry.Mount, error) { return telemetry.LookUp(dir) }
		if left == 0 {
			list = r.List
		}
		mounts, err := list()
		if err != nil || len(mounts) != 0 {
			t.Errorf("got %v, %v; want none", mounts, err)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != left {
			t.Errorf("%d entries, %v; want %d", len(entries), err, left)
		}
	}
}

func TestRegistryRefusesAWritableDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := telemetry.NewRegistry(dir); err == nil {
		t.Error("no error")
	}
}

func TestLogNeedsAKnownLevel(t *testing.T) {
	if _, _, err := telemetry.NewLog(telemetry.LogConfig{Level: "loud"}); err == nil {
		t.Error("no error")
	}
	file := filepath.Join(t.TempDir(), "log")
	log, closeLog, err := telemetry.NewLog(telemetry.LogConfig{Level: "info", File: file, Format: "json"})
	if err != nil {
		t.Fatal(err)
	}
	log.Info("hello", zap.String("key", "k"))
	log.Debug("hidden")
	closeLog()
	text, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(text), `"key":"k"`) || strings.Contains(string(text), "hidden") {
		t.Errorf("log %q, %v", text, err)
	}
}

// TestLongAnswer: of a socket that is not trusted no more is read than was said.
func TestLongAnswer(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	s, err := telemetry.Serve(socket, &fake{}, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c := telemetry.Dial(socket)
	status := map[string]int{}
	if err := c.Limit(1<<10).Status(t.Context(), &status); err != nil || status["queued"] != 3 {
		t.Errorf("within the limit: %v, %v", status, err)
	}
	if err := c.Limit(5).Status(t.Context(), &status); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("beyond it: %v", err)
	}
}
