package storetest

import (
	"slices"

	"github.com/s3levelfs/s3levelfs/store"
)

// testTags: a copy keeps the tags of its source, whatever other headers it is given, until it is given others or none.
func testTags(e *env) {
	if slices.Contains(e.f.Unkept, "Tags") {
		return
	}
	tagged := store.Headers{ContentType: "text/plain", Tags: "a=1&b=x+y"}
	e.put("tagged", []byte("x"), tagged)
	plain := store.Headers{ContentType: "image/png"}
	other := store.Headers{ContentType: "image/png", Tags: "c=3"}
	none := store.Headers{ContentType: "image/png", Tags: store.NoTags}
	for _, c := range []struct {
		target string
		give   *store.Headers
		want   store.Headers
	}{
		{"kept", nil, tagged},
		{"kept with headers", &plain, store.Headers{ContentType: "image/png", Tags: tagged.Tags}},
		{"others", &other, other},
		{"none", &none, plain},
	} {
		req := store.CopyRequest{Source: e.key("tagged"), Target: e.key(c.target), Headers: c.give}
		if _, err := e.s.Copy(e.Context(), req); err != nil {
			e.Errorf("copy, %s: %v", c.target, err)
			continue
		}
		e.wantHeaders(c.target, c.want)
	}
}
