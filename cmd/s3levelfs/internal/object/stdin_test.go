package object

import (
	"context"
	"errors"
	"io"
	"os"
	"testing"
)

// TestPromptEndsWithItsContext: who waits for standard input can be interrupted, at once and while it waits; what comes before is read.
func TestPromptEndsWithItsContext(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = r.Close(), w.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	p, err := newPrompt(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	if _, err := w.WriteString("x"); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 2)
	if n, err := p.Read(b); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	ended := make(chan error)
	go func() {
		_, err := p.Read(b)
		ended <- err
	}()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := p.Read(b); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestPromptReadsToTheEnd: of a file, of a pipe whose writer has gone, and nothing is left open by a close.
func TestPromptReadsToTheEnd(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = r.Close(), file.Close() }()
	for _, to := range []*os.File{file, w} {
		if _, err := to.WriteString("all"); err != nil {
			t.Fatal(err)
		}
	}
	_ = w.Close()
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	for _, from := range []*os.File{file, r} {
		p, err := newPrompt(t.Context(), from)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(p); string(got) != "all" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		p.close()
		if _, err := p.wake.Stat(); !errors.Is(err, os.ErrClosed) {
			t.Error("the wake is open")
		}
	}
}
