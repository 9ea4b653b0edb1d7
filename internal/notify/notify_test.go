package notify_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/internal/notify"
)

// recorder notes what is told, and when.
type recorder struct {
	hang bool

	mu   sync.Mutex
	told []string
}

func (r *recorder) run(ctx context.Context, e notify.Event) error {
	r.mu.Lock()
	r.told = append(r.told, fmt.Sprintf("%s %s %s +%d", time.Now().Format("05"), e.Kind, e.Path, e.More))
	r.mu.Unlock()
	if r.hang {
		<-ctx.Done()
	}
	return ctx.Err()
}

func bubble(t *testing.T, test func(*notify.Notifier, *recorder)) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		r := &recorder{}
		n := notify.New(r.run, zap.NewNop())
		test(n, r)
		n.Close()
	})
}

func want(t *testing.T, r *recorder, told ...string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.told, told) {
		t.Errorf("told %q, want %q", r.told, told)
	}
}

// What comes at once is told once, with a count, and nobody waits for it.
func TestBurstIsOneNotification(t *testing.T) {
	bubble(t, func(n *notify.Notifier, r *recorder) {
		for i := range 1000 {
			n.Tell(notify.Event{Kind: notify.Conflict, Path: fmt.Sprint(i)})
			if i == 0 {
				synctest.Wait()
			}
		}
		time.Sleep(time.Minute)
		n.Tell(notify.Event{Kind: notify.BaseLost, Path: "last"})
		time.Sleep(time.Minute)
		want(t, r, "00 conflict 0 +0", "05 conflict 1 +998", "00 base-lost last +0")
	})
}

func TestFailureIsToldOnceAFile(t *testing.T) {
	bubble(t, func(n *notify.Notifier, r *recorder) {
		for range 3 {
			n.Tell(notify.Event{Kind: notify.Failed, Path: "a"})
			time.Sleep(10 * time.Second)
		}
		n.Stored("a")
		n.Tell(notify.Event{Kind: notify.Failed, Path: "a"})
		time.Sleep(time.Second)
		want(t, r, "00 failed a +0", "30 failed a +0")
	})
}

// A command that hangs is ended, and Close does not wait for its time.
func TestHangingCommandIsEnded(t *testing.T) {
	bubble(t, func(n *notify.Notifier, r *recorder) {
		r.hang = true
		n.Tell(notify.Event{Kind: notify.Conflict, Path: "a"})
		synctest.Wait()
		n.Tell(notify.Event{Kind: notify.Conflict, Path: "b"})
		time.Sleep(16 * time.Second)
		want(t, r, "00 conflict a +0", "15 conflict b +0")
		began := time.Now()
		n.Close()
		if d := time.Since(began); d != 0 {
			t.Errorf("close took %v", d)
		}
	})
}

func TestCommandGetsTheEvent(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	run := notify.ByCommand(`printf '%s|%s|%s|%s' "$S3LEVELFS_EVENT" "$S3LEVELFS_PATH" "$S3LEVELFS_OTHER" "$S3LEVELFS_TEXT" >` + out)
	e := notify.Event{Kind: notify.Conflict, Path: `private/a "$(touch x)"`, Other: "b", More: 2}
	if err := run(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(out)
	if want := "conflict|" + e.Path + "|b|" + e.Text(); err != nil || string(got) != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if err := notify.ByCommand("echo why >&2; exit 3")(t.Context(), e); err == nil || !strings.Contains(err.Error(), "why") {
		t.Errorf("failing command: %v", err)
	}
}

func TestDesktop(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	if _, err := notify.ByDesktop(); err == nil {
		t.Error("no error without notify-send")
	}
	out := filepath.Join(dir, "out")
	script := "#!/bin/sh\nprintf '%s\\n' \"$@\" >" + out + "\n"
	if err := os.WriteFile(filepath.Join(dir, "notify-send"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	run, err := notify.ByDesktop()
	if err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), notify.Event{Kind: notify.Failed, Path: "--help <b>", Err: "no"}); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(out)
	if err != nil || !strings.Contains(string(got), "--\nA file can not be uploaded yet\n&#34;--help &lt;b&gt;&#34; is kept") {
		t.Errorf("notify-send got %q, %v", got, err)
	}
}
