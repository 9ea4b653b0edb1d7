package s3store_test

import (
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/s3store"
)

// TestTagsOfAHead: tags are asked for where the object has some, are not known without the right to them, and a failure is a failure: an
// overwrite must not drop them because of an outage.
func TestTagsOfAHead(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		count string
		code  int
		want  string
		kind  error
		sent  int
	}{
		{count: "", sent: 1},
		{count: "2", code: http.StatusOK, want: "a=1&b=x+y", sent: 2},
		{count: "2", code: http.StatusForbidden, sent: 2},
		{count: "2", code: http.StatusNotImplemented, sent: 2},
		{count: "2", code: http.StatusServiceUnavailable, kind: store.ErrThrottled, sent: 2},
	} {
		f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == http.MethodHead:
				w.Header().Set("Etag", `"e"`)
				if c.count != "" {
					w.Header().Set("X-Amz-Tagging-Count", c.count)
				}
			case c.code != http.StatusOK:
				refuse(w, c.code, "")
			default:
				_, _ = io.WriteString(w, `<Tagging><TagSet><Tag><Key>b</Key><Value>x y</Value></Tag><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>`)
			}
		})
		s := open(t, f.URL, func(c *s3store.Config) { c.MaxAttempts = 1 })
		o, err := s.Head(t.Context(), "k", store.Cond{})
		if !errors.Is(err, c.kind) || len(f.requests()) != c.sent {
			t.Errorf("%+v: %v after %d requests", c, err, len(f.requests()))
		}
		if hidden := c.kind == nil && c.sent == 2 && c.want == ""; err == nil && (o.Headers.Tags != c.want || o.TagsHidden != hidden) {
			t.Errorf("%+v: tags %q, hidden %v", c, o.Headers.Tags, o.TagsHidden)
		}
	}
}
