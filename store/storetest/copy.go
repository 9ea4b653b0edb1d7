package storetest

import (
	"slices"

	"github.com/s3levelfs/s3levelfs/store"
)

func testCopy(e *env) {
	data := pattern(100_000, 3)
	src := e.put("source", data, fullHeaders())
	req := store.CopyRequest{Source: e.key("source"), SourceETag: src.ETag, Target: e.key("kept")}
	res, err := e.s.Copy(e.Context(), req)
	if err != nil {
		e.Fatalf("copy: %v", err)
	}
	if o := e.wantObject("kept", data); o.ETag != res.ETag {
		e.Errorf("copy has ETag %s, the answer said %s", o.ETag, res.ETag)
	}
	e.wantHeaders("kept", fullHeaders())

	replaced := store.Headers{ContentType: "image/png", Metadata: map[string]string{"only": "this"}}
	req = store.CopyRequest{Source: e.key("source"), Target: e.key("replaced"), Headers: &replaced}
	if _, err := e.s.Copy(e.Context(), req); err != nil {
		e.Errorf("copy with new headers: %v", err)
	}
	e.wantObject("replaced", data)
	e.wantHeaders("replaced", replaced)
	e.wantHeaders("source", fullHeaders())

	// Onto itself: how attributes of a stored object are changed.
	req = store.CopyRequest{Source: e.key("source"), SourceETag: src.ETag, Target: e.key("source"), Headers: &replaced}
	self, err := e.s.Copy(e.Context(), req)
	if err != nil {
		e.Fatalf("copy onto itself: %v", err)
	}
	want := replaced
	if e.f.SelfCopyKeeps {
		want = fullHeaders()
		want.ContentType, want.Metadata = replaced.ContentType, replaced.Metadata
	}
	e.wantHeaders("source", want)
	if o := e.wantObject("source", data); o.ETag != self.ETag {
		e.Errorf("copied onto itself: ETag %s, the answer said %s", o.ETag, self.ETag)
	}

	e.puts("target", "old")
	if _, err := e.s.Copy(e.Context(), store.CopyRequest{Source: e.key("replaced"), Target: e.key("target")}); err != nil {
		e.Errorf("copy over an object: %v", err)
	}
	e.wantObject("target", data)
	e.put("empty", nil, store.Headers{})
	if _, err := e.s.Copy(e.Context(), store.CopyRequest{Source: e.key("empty"), Target: e.key("target")}); err != nil {
		e.Errorf("copy of an empty object: %v", err)
	}
	e.wantString("target", "")
}

func testCopyRefused(e *env) {
	e.puts("source", "new")
	e.puts("target", "old")
	_, err := e.s.Copy(e.Context(), store.CopyRequest{Source: e.key("source"), SourceETag: otherETag, Target: e.key("target")})
	e.wantKind("copy of another version", err, store.ErrChanged)
	_, err = e.s.Copy(e.Context(), store.CopyRequest{Source: e.key("absent"), Target: e.key("target")})
	e.wantKind("copy of an absent key", err, e.absent())
	_, err = e.s.Copy(e.Context(), store.CopyRequest{Source: e.key("absent"), SourceETag: otherETag, Target: e.key("target")})
	e.wantKind("copy of a version of an absent key", err, e.absent(), store.ErrChanged)
	e.wantString("target", "old")
}

// testCopyConditions asserts that Limits.CopyCond is the truth.
func testCopyConditions(e *env) {
	e.puts("source", "new")
	tests := []struct {
		name, target string
		cond         store.Cond
		kinds        []error
	}{
		{"If-None-Match on an object", "there", store.Cond{IfNoneMatch: true}, []error{store.ErrChanged}},
		{"wrong If-Match", "there", store.Cond{IfMatch: otherETag}, []error{store.ErrChanged}},
		{"If-Match on an absent key", "absent", store.Cond{IfMatch: otherETag}, []error{store.ErrChanged, store.ErrNotExist}},
	}
	for _, tt := range tests {
		e.puts("there", "old")
		_, err := e.s.Copy(e.Context(), store.CopyRequest{Source: e.key("source"), Target: e.key(tt.target), Cond: tt.cond})
		if !e.s.Limits().CopyCond {
			if err != nil {
				e.Errorf("%s: conditions are said to be ignored: %v", tt.name, err)
			}
			e.wantString(tt.target, "new")
			continue
		}
		e.wantKind(tt.name, err, tt.kinds...)
		e.wantString("there", "old")
		e.wantAbsent("absent")
	}
	etag := e.puts("there", "old").ETag
	for target, c := range map[string]store.Cond{"there": {IfMatch: etag}, "fresh": {IfNoneMatch: true}} {
		if _, err := e.s.Copy(e.Context(), store.CopyRequest{Source: e.key("source"), Target: e.key(target), Cond: c}); err != nil {
			e.Errorf("copy with a condition that holds: %v", err)
		}
		e.wantString(target, "new")
	}
}

func testDeleteMany(e *env) {
	names := []string{"a", "b c", "d/e+f", "g%2Fh", "i&j<k>", "é", "tab\tname", "stays"}
	keys := []string{e.key("absent"), e.key("absent/too")}
	for _, n := range names {
		e.puts(n, n)
		if n != "stays" {
			keys = append(keys, e.key(n))
		}
	}
	failed, err := e.s.DeleteMany(e.Context(), keys)
	if err != nil || len(failed) > 0 {
		e.Errorf("delete-many: %v, %v", failed, err)
	}
	if _, left, _ := e.listing("", store.ListOptions{}); !slices.Equal(left, []string{"stays"}) {
		e.Errorf("left are %q", left)
	}
}
