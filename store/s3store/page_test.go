package s3store_test

import (
	"errors"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/store"
)

// TestPagesInDoubt: a page that only the SDK can read is read by it, a page that is cut is an error and never a
// shorter one, and what comes behind the whole of it does not matter.
func TestPagesInDoubt(t *testing.T) {
	const head = `<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a</Key>`
	const tail = `<Size>3</Size><ETag>&quot;e&quot;</ETag></Contents></ListBucketResult>`
	for _, c := range []struct {
		name, body string
		length     int
		ok         bool
	}{
		{"plain", head + tail, 0, true},
		{"owner", head + "<Owner><ID>me</ID></Owner>" + tail, 0, true},
		{"comment", head + "<!-- nothing -->" + tail, 0, true},
		{"cut", head, 0, false},
		{"cut by the wire", head, len(head) + 10, false},
		{"whole before the wire broke", head + tail, len(head+tail) + 10, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t, func(w http.ResponseWriter, _ *http.Request) {
				if c.length > 0 {
					w.Header().Set("Content-Length", strconv.Itoa(c.length))
				}
				_, _ = w.Write([]byte(c.body))
			})
			var got []store.Object
			var failed error
			for page, err := range open(t, f.URL).List(t.Context(), "", store.ListOptions{}) {
				failed = errors.Join(failed, err)
				got = append(got, page.Objects...)
			}
			var want []store.Object
			if c.ok {
				want = []store.Object{{Key: "a", Size: 3, ETag: `"e"`, LastModified: time.Time{}}}
			}
			if diff := cmp.Diff(want, got); diff != "" || (failed == nil) != c.ok {
				t.Errorf("%v\n%s", failed, diff)
			}
		})
	}
}
