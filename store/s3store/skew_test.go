package s3store_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
)

// skewed is a server whose clock differs and that refuses requests signed more
// than 15 minutes off it, as S3 does.
func skewed(by time.Duration, answer http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		now := time.Now().Add(by)
		w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
		signed, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
		if err != nil || now.Sub(signed).Abs() > 15*time.Minute {
			code := "RequestTimeTooSkewed"
			if r.Method == http.MethodHead {
				code = ""
			}
			refuse(w, 403, code)
			return
		}
		answer(w, r)
	}
}

// TestSkewCorrected: a wrong clock costs one more request, in writes too, which
// were not applied; and only the first time.
func TestSkewCorrected(t *testing.T) {
	t.Parallel()
	for _, by := range []time.Duration{-3 * time.Hour, 3 * time.Hour} {
		for _, op := range []string{"put", "head", "get", "delete", "upload-part"} {
			f := newFake(t, skewed(by, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Etag", `"e"`)
			}))
			run := ops(t, open(t, f.URL))[op]
			for want := 2; want <= 3; want++ {
				if err := run(); err != nil {
					t.Errorf("%s at %v: %v", op, by, err)
				}
				if n := len(f.requests()); n != want {
					t.Errorf("%s at %v: %d requests, want %d", op, by, n, want)
				}
			}
			for _, r := range f.requests() {
				if want := map[string]string{"put": "body", "upload-part": "body"}[op]; r.body != want {
					t.Errorf("%s: body %q, want %q", op, r.body, want)
				}
			}
		}
	}
}

// TestSkewStays: what the correction does not mend is the clock's kind, after two
// requests and no more.
func TestSkewStays(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"put", "get", "list"} {
		f := newFake(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", time.Now().Add(time.Duration(time.Now().UnixNano()%5+1)*24*time.Hour).UTC().Format(http.TimeFormat))
			refuse(w, 403, "RequestTimeTooSkewed")
		})
		err := ops(t, open(t, f.URL))[op]()
		if !errors.Is(err, store.ErrClockSkew) || store.Unanswered(err) {
			t.Errorf("%s: %v", op, err)
		}
		if n := len(f.requests()); n != 2 {
			t.Errorf("%s: %d requests", op, n)
		}
	}
}
