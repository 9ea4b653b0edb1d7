package s3store_test

import (
	"net/http"
	"testing"
)

// TestUploadRefusedIn200: an error in the body of a 200 is one of uploads, too; an answer without a body is none.
func TestUploadRefusedIn200(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"put", "upload-part", "delete-many"} {
		for _, c := range []struct {
			answer http.HandlerFunc
			ok     bool
		}{
			{func(w http.ResponseWriter, _ *http.Request) { refuse(w, 200, "InternalError") }, false},
			{func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("ETag", `"e"`) }, true},
		} {
			if err := ops(t, open(t, newFake(t, c.answer).URL))[op](); (err == nil) != c.ok {
				t.Errorf("%s: %v", op, err)
			}
		}
	}
}
