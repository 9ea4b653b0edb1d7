package storetest

import (
	"time"

	"github.com/s3levelfs/s3levelfs/store"
)

// otherETag is no object's.
const otherETag = `"00000000000000000000000000000000"`

// absent is the kind of a read of an absent key.
func (e *env) absent() error {
	if e.f.HideAbsent {
		return store.ErrPermission
	}
	return store.ErrNotExist
}

func testReadConditions(e *env) {
	etag := e.puts("k", "content").ETag
	o, err := e.s.Head(e.Context(), e.key("k"), store.Cond{})
	if err != nil {
		e.Fatal(err)
	}
	var ownTime error
	if e.f.FineTimes {
		ownTime = store.ErrChanged
	}
	tests := []struct {
		name string
		key  string
		cond store.Cond
		kind error // nil: succeeds
	}{
		{"right If-Match", "k", store.Cond{IfMatch: etag}, nil},
		{"wrong If-Match", "k", store.Cond{IfMatch: otherETag}, store.ErrChanged},
		{"If-Match of an absent key", "absent", store.Cond{IfMatch: etag}, e.absent()},
		{"If-None-Match", "k", store.Cond{IfNoneMatch: true}, store.ErrChanged},
		{"If-None-Match of an absent key", "absent", store.Cond{IfNoneMatch: true}, e.absent()},
		{"If-Unmodified-Since its own time", "k", store.Cond{IfUnmodifiedSince: o.LastModified}, ownTime},
		{"If-Unmodified-Since later", "k", store.Cond{IfUnmodifiedSince: o.LastModified.Add(time.Second)}, nil},
		{"If-Unmodified-Since before", "k", store.Cond{IfUnmodifiedSince: o.LastModified.Add(-time.Hour)}, store.ErrChanged},
	}
	for _, tt := range tests {
		_, headErr := e.s.Head(e.Context(), e.key(tt.key), tt.cond)
		data, _, getErr := e.get(tt.key, store.All, tt.cond)
		_, _, rangeErr := e.get(tt.key, store.Range{Off: 2, Len: 3}, tt.cond)
		if tt.kind == nil {
			if headErr != nil || getErr != nil || rangeErr != nil || string(data) != "content" {
				e.Errorf("%s: %v, %v, %v, %q", tt.name, headErr, getErr, rangeErr, data)
			}
			continue
		}
		e.wantKind("head with "+tt.name, headErr, tt.kind)
		e.wantKind("get with "+tt.name, getErr, tt.kind)
		e.wantKind("range with "+tt.name, rangeErr, tt.kind)
	}
}

func testPutConditions(e *env) {
	put := func(name, data string, c store.Cond) (store.PutResult, error) {
		return e.s.Put(e.Context(), e.key(name), section([]byte(data)), store.Headers{}, c)
	}
	first, err := put("k", "first", store.Cond{IfNoneMatch: true})
	if err != nil {
		e.Fatalf("put if absent: %v", err)
	}
	_, err = put("k", "second", store.Cond{IfNoneMatch: true})
	e.wantKind("put if absent over an object", err, store.ErrChanged)
	_, err = put("k", "second", store.Cond{IfMatch: otherETag})
	e.wantKind("put with a wrong If-Match", err, store.ErrChanged)
	e.wantString("k", "first")
	if _, err = put("k", "third", store.Cond{IfMatch: first.ETag}); err != nil {
		e.Errorf("put with the right If-Match: %v", err)
	}
	_, err = put("k", "fourth", store.Cond{IfMatch: first.ETag})
	e.wantKind("put with an ETag that was right", err, store.ErrChanged)
	e.wantString("k", "third")

	// S3 answers 404 here: the object with that ETag does not exist.
	_, err = put("absent", "x", store.Cond{IfMatch: otherETag})
	e.wantKind("put with If-Match on an absent key", err, store.ErrChanged, store.ErrNotExist)
	_, err = put("probe", "", store.Cond{IfMatch: `"0"`})
	e.wantKind("probe", err, store.ErrChanged, store.ErrNotExist)
	e.wantAbsent("absent")
	e.wantAbsent("probe")

	_, err = put("k", "x", store.Cond{IfUnmodifiedSince: time.Now().Add(-time.Hour)})
	e.wantKind("put with a condition that S3 has for reads only", err, store.ErrInvalid, store.ErrChanged)
	e.wantString("k", "third")
}

func testDeleteConditions(e *env) {
	del := func(name string, c store.Cond) error { return e.s.Delete(e.Context(), e.key(name), c) }
	etag := e.puts("k", "x").ETag
	e.wantKind("delete with a wrong If-Match", del("k", store.Cond{IfMatch: otherETag}), store.ErrChanged)
	e.wantString("k", "x")
	if err := del("k", store.Cond{IfMatch: etag}); err != nil {
		e.Errorf("delete with the right If-Match: %v", err)
	}
	e.wantAbsent("k")
	for _, c := range []store.Cond{{}, {IfMatch: etag}} {
		if err := del("k", c); err != nil {
			e.Errorf("delete of an absent key with %+v: %v", c, err)
		}
	}
}

func testRanges(e *env) {
	const data = "0123456789"
	etag := e.puts("ten", data).ETag
	e.puts("empty", "")
	tests := []struct {
		name string
		r    store.Range
		want string
	}{
		{"ten", store.All, data},
		{"ten", store.Range{Off: 0, Len: 0}, ""},
		{"ten", store.Range{Off: 4, Len: 0}, ""},
		{"ten", store.Range{Off: 0, Len: 1}, "0"},
		{"ten", store.Range{Off: 0, Len: 10}, data},
		{"ten", store.Range{Off: 3, Len: 4}, "3456"},
		{"ten", store.Range{Off: 7, Len: 100}, "789"},
		{"ten", store.Range{Off: 9, Len: 1}, "9"},
		{"ten", store.Range{Off: 6, Len: -1}, "6789"},
		{"ten", store.Range{Off: 10, Len: 1}, ""},
		{"ten", store.Range{Off: 10, Len: -1}, ""},
		{"ten", store.Range{Off: 1 << 40, Len: 1 << 20}, ""},
		{"empty", store.All, ""},
		{"empty", store.Range{Off: 0, Len: 10}, ""},
		{"empty", store.Range{Off: 5, Len: -1}, ""},
	}
	for _, tt := range tests {
		got, o, err := e.get(tt.name, tt.r, store.Cond{})
		if err != nil || string(got) != tt.want {
			e.Errorf("%s %+v: %q, %v, want %q", tt.name, tt.r, got, err, tt.want)
			continue
		}
		size := int64(len(data))
		if tt.name == "empty" {
			size = 0
		}
		if o.Size != size || o.Key != e.key(tt.name) || o.ETag == "" {
			e.Errorf("%s %+v: described as %+v", tt.name, tt.r, o)
		}
	}
	for _, r := range []store.Range{{Off: 2, Len: 3}, {Off: 10, Len: 5}, {Off: 3, Len: 0}} {
		if _, _, err := e.get("ten", r, store.Cond{IfMatch: etag}); err != nil {
			e.Errorf("%+v with the right If-Match: %v", r, err)
		}
		_, _, err := e.get("ten", r, store.Cond{IfMatch: otherETag})
		e.wantKind("range with a wrong If-Match", err, store.ErrChanged)
	}
}
