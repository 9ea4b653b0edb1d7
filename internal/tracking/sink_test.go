package tracking_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/internal/tracking"
)

func batch() []tracking.Event {
	return []tracking.Event{tracking.Of(tracking.Put, nil), tracking.Download(5, nil)}
}

// checkRecords reads one record a line.
func checkRecords(t *testing.T, text string, n int) {
	t.Helper()
	if strings.Count(text, "\n") != n {
		t.Errorf("want %d lines: %q", n, text)
	}
	for line := range strings.Lines(text) {
		var r struct {
			Name       string
			Attributes map[string]string
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil || r.Name != "Storage" || r.Attributes["result"] != "success" {
			t.Errorf("%q: %v", line, err)
		}
	}
}

// A file is appended to, and is nobody else's.
func TestFileIsAppendedTo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	for range 2 {
		s, err := tracking.OpenFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if o := s.Send(t.Context(), batch()); o.Err != nil {
			t.Error(o.Err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	checkRecords(t, string(text), 4)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
	if _, err := tracking.OpenFile(filepath.Join(path, "below")); err == nil {
		t.Error("a file below a file")
	}
}

// A pipe without a reader is refused, and one whose reader reads nothing holds a batch up for no longer than its context.
func TestPipeThatNobodyReads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := tracking.OpenFile(path); !errors.Is(err, unix.ENXIO) {
		t.Fatalf("without a reader: %v, %v", s, err)
	}
	reader, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(reader) }()
	s, err := tracking.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if o := s.Send(t.Context(), batch()); o.Err != nil {
		t.Error(o.Err)
	}
	for err == nil { // until it is full
		_, err = unix.Write(reader, []byte{0})
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if o := s.Send(ctx, batch()); len(o.Again) != 2 || !errors.Is(o.Err, os.ErrDeadlineExceeded) {
		t.Errorf("full: %+v", o)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// broken takes n bytes of a write.
type broken struct {
	n   int
	err error
}

func (b broken) Write(p []byte) (int, error) { return min(b.n, len(p)), b.err }

// What was written in part is not written again, what was not written at all is.
func TestBrokenWriter(t *testing.T) {
	var out bytes.Buffer
	if o := tracking.ToWriter(&out).Send(t.Context(), batch()); o.Err != nil {
		t.Error(o.Err)
	}
	checkRecords(t, out.String(), 2)
	full := errors.New("no room")
	if o := tracking.ToWriter(broken{0, full}).Send(t.Context(), batch()); len(o.Again) != 2 || o.Refused != 0 || !errors.Is(o.Err, full) {
		t.Errorf("%+v", o)
	}
	if o := tracking.ToWriter(broken{5, full}).Send(t.Context(), batch()); len(o.Again) != 0 || o.Refused != 2 || !errors.Is(o.Err, full) {
		t.Errorf("%+v", o)
	}
	if o := tracking.ToWriter(broken{5, nil}).Send(t.Context(), batch()); o.Refused != 2 || !errors.Is(o.Err, io.ErrShortWrite) {
		t.Errorf("%+v", o)
	}
}

// once takes n bytes of the first write, and all of the others.
type once struct {
	bytes.Buffer
	n int
}

func (o *once) Write(p []byte) (int, error) {
	if n := o.n; n > 0 {
		o.n = 0
		_, _ = o.Buffer.Write(p[:n])
		return n, errors.New("no room")
	}
	return o.Buffer.Write(p)
}

// What follows a torn line, as a full disk leaves one, is on a line of its own.
func TestTornLine(t *testing.T) {
	var to once
	to.n = 5
	s := tracking.ToWriter(&to)
	if o := s.Send(t.Context(), batch()); o.Refused != 2 {
		t.Errorf("%+v", o)
	}
	if o := s.Send(t.Context(), batch()); o.Err != nil {
		t.Errorf("%+v", o)
	}
	torn, rest, _ := strings.Cut(to.String(), "\n")
	if len(torn) != 5 {
		t.Errorf("the torn line is %q", torn)
	}
	checkRecords(t, rest, 2)
}

func TestLogSink(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	s := tracking.ToLogger(zap.New(core))
	if o := s.Send(t.Context(), batch()); o.Err != nil {
		t.Error(o.Err)
	}
	all := logs.FilterMessage("Storage").All()
	if len(all) != 2 || all[0].ContextMap()["method"] != "put" || all[1].ContextMap()["fileSize"] != int64(5) {
		t.Errorf("%v", all)
	}
	if _, ok := all[0].ContextMap()["fileSize"]; ok {
		t.Error("an upload has no fileSize")
	}
}

// hook is a server that answers with a status, and the sink that posts to it.
func hook(t *testing.T, token tracking.Secret, answer http.HandlerFunc) tracking.Sink {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	target, err := tracking.Parse(server.URL + "/hook?key=hidden")
	if err != nil {
		t.Fatal(err)
	}
	s := tracking.OpenWebhook(target, token)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestWebhook(t *testing.T) {
	var got []json.RawMessage
	s := hook(t, "hidden", func(_ http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.RequestURI() != "/hook?key=hidden" || r.Header.Get("Content-Type") != "application/json" ||
			r.Header.Get("Authorization") != "Bearer hidden" {
			t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
		}
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
	})
	if o := s.Send(t.Context(), batch()); o.Err != nil || len(o.Again) != 0 || o.Refused != 0 {
		t.Errorf("%+v", o)
	}
	if len(got) != 2 || !strings.Contains(string(got[1]), `"metrics":{"fileSize":5}`) {
		t.Errorf("%s", got)
	}
}

// What may be over the next time is posted again, all else is refused; no error tells the URL's key or the token.
func TestWebhookFailures(t *testing.T) {
	for status, again := range map[int]bool{
		200: false, 204: false, 301: false, 308: false, 400: false, 401: false, 404: false, 413: false,
		408: true, 425: true, 429: true, 500: true, 502: true, 503: true, 504: true,
	} {
		s := hook(t, "hidden", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/hook" {
				t.Errorf("a redirection to %s was followed", r.URL)
			}
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
		})
		o := s.Send(t.Context(), batch())
		switch {
		case status < 300:
			if o.Err != nil || len(o.Again)+o.Refused != 0 {
				t.Errorf("%d: %+v", status, o)
			}
		case (len(o.Again) == 2) != again || (o.Refused == 2) == again || o.Err == nil || strings.Contains(o.Err.Error(), "hidden"):
			t.Errorf("%d: %+v", status, o)
		}
	}
	s := hook(t, "hidden", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	if o := s.Send(t.Context(), batch()); len(o.Again) != 2 || o.Err == nil || strings.Contains(o.Err.Error(), "hidden") {
		t.Errorf("%+v", o)
	}
}

func TestTargets(t *testing.T) {
	for text, want := range map[string]string{
		"log": "log", "stdout": "stdout", "jsonl:/a/../b": "jsonl:/b", "kinesis:my-stream_1.x": "kinesis:my-stream_1.x",
		"kinesis:arn:aws-cn:kinesis:cn-north-1:123456789012:stream/s": "kinesis:arn:aws-cn:kinesis:cn-north-1:123456789012:stream/s",
		"https://h.example/hidden?hidden#x":                           "https://h.example",
		"http://127.0.0.1:8080/hidden":                                "http://127.0.0.1:8080",
		"http://[::1]/hidden":                                         "http://[::1]",
		"http://localhost/hidden":                                     "http://localhost",
	} {
		got, err := tracking.Parse(text)
		if err != nil || got.String() != want || strings.Contains(fmt.Sprint(got), "hidden") {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "log:", "stdout:x", "file", "jsonl:", "jsonl:rel", "jsonl:/dir/", "kinesis:", "kinesis:a b", "kinesis:arn:aws:s3:::b", "ftp://h/",
		"https://", "https://user:hidden@h.example/", "http://h.example/hidden", "https://h.example/hidden\x00",
		"HTTPS://h.example/hidden", "h.example/hidden", "h.example?hidden", "ftp://user:hidden@h.example", "https:///hidden", "u@hidden",
	} {
		got, err := tracking.Parse(text)
		if err == nil {
			t.Errorf("%q: %v", text, got)
		} else if strings.Contains(err.Error(), "hidden") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestSecretIsNeverPrinted(t *testing.T) {
	s := tracking.Secret("hidden")
	text, err := json.Marshal(s)
	if all := fmt.Sprintf("%v %s %q %x %#v %+v %s", s, s, s, s, s, []tracking.Secret{s}, text); err != nil || strings.Contains(all, "hidden") || strings.Contains(all, "68696464") {
		t.Error(all, err)
	}
	if s.Reveal() != "hidden" {
		t.Error("the text is lost")
	}
}
