package s3store

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/store"
)

// refuser refuses the first attempts of what recorder keeps.
type refuser struct {
	recorder
	times  int
	answer func() *http.Response
}

func (r *refuser) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := r.recorder.RoundTrip(req)
	if err != nil || len(r.all) > r.times {
		return resp, err
	}
	return r.answer(), nil
}

func refusal(status int, code string, header http.Header) *http.Response {
	body := "<Error><Code>" + code + "</Code></Error>"
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
}

// TestAttemptsAreAlike: all attempts of a call send the same request, to the same address, but for its time: also the second one of a write, whose
// first was refused because of the clock, and which is signed with the server's.
func TestAttemptsAreAlike(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wire := &refuser{times: 3, answer: func() *http.Response { return refusal(http.StatusServiceUnavailable, "SlowDown", http.Header{}) }}
		s, err := New(t.Context(), Config{
			Bucket: "bucket", Endpoint: "https://example.com/base", PathStyle: true, Transport: wire, Credentials: Static("AKIDEXAMPLE", "secret", "token"),
		})
		if err != nil {
			t.Fatal(err)
		}
		ahead := func() *http.Response {
			date := http.Header{"Date": {time.Now().Add(2 * time.Hour).UTC().Format(http.TimeFormat)}}
			return refusal(http.StatusForbidden, "RequestTimeTooSkewed", date)
		}
		body := func() *io.SectionReader { return io.NewSectionReader(strings.NewReader("some bytes"), 0, 10) }
		for i, call := range []func(){
			func() { _, _ = s.Head(t.Context(), "first, by the SDK's steps", store.Cond{}) },
			func() { _, _ = s.Head(t.Context(), "a b//c", store.Cond{}) },
			func() { _, _, _ = s.Get(t.Context(), "k", store.Range{Off: 1, Len: 2}, store.Cond{IfMatch: `"e"`}) },
			func() {
				wire.times, wire.answer = 1, ahead
				_, _ = s.Put(t.Context(), "k", body(), store.Headers{}, store.Cond{})
			},
			func() { _, _ = s.Put(store.WithCRC32(t.Context(), 7), "k", body(), store.Headers{}, store.Cond{}) },
			func() { _, _ = s.UploadPart(t.Context(), "k", "id", 1, body()) },
		} {
			s.skew.Store(0)
			wire.all = nil
			call()
			if len(wire.all) != wire.times+1 {
				t.Fatalf("call %d: %d attempts", i, len(wire.all))
			}
			last := wire.all[wire.times].Header.Get("X-Amz-Date")
			if want := time.Now().Add(time.Duration(s.skew.Load())).UTC().Format("20060102T150405Z"); last != want {
				t.Errorf("call %d: signed at %s, want %s", i, last, want)
			}
			without(wire.all, "X-Amz-Date", "Authorization")
			for _, again := range wire.all[1:] {
				if diff := cmp.Diff(wire.all[0], again); diff != "" {
					t.Errorf("call %d: %s", i, diff)
				}
			}
		}
	})
}
