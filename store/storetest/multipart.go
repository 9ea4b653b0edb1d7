package storetest

import (
	"errors"
	"slices"
	"strings"

	"github.com/s3levelfs/s3levelfs/store"
)

// part uploads a part and fails the test if it can not.
func (e *env) part(name, id string, number int32, data []byte) store.Part {
	e.Helper()
	p, err := e.s.UploadPart(e.Context(), e.key(name), id, number, section(data))
	if err != nil {
		e.Fatalf("part %d of %q: %v", number, name, err)
	}
	if p.Number != number || p.Size != int64(len(data)) || p.ETag == "" {
		e.Errorf("part %d of %q is %+v", number, name, p)
	}
	return p
}

func (e *env) create(name string, h store.Headers) string {
	e.Helper()
	id, err := e.s.Create(e.Context(), e.key(name), h)
	if err != nil || id == "" {
		e.Fatalf("create %q: %q, %v", name, id, err)
	}
	return id
}

// testMultipart uploads parts out of order, with gaps, one twice and one that is
// not wanted in the end.
func testMultipart(e *env) {
	size := e.s.Limits().MinPart
	first, second, tail := pattern(size, 4), pattern(size+1, 5), pattern(100, 6)
	id := e.create("k", fullHeaders())
	p7 := e.part("k", id, 7, tail)
	e.part("k", id, 3, pattern(100, 7))
	p1 := e.part("k", id, 1, first)
	p3 := e.part("k", id, 3, second)
	e.part("k", id, 9, []byte("not listed"))
	e.wantAbsent("k")

	parts := []store.Part{p1, p3, p7}
	res, err := e.s.Complete(e.Context(), e.key("k"), id, parts, store.Cond{IfNoneMatch: true})
	if err != nil {
		e.Fatalf("complete: %v", err)
	}
	o := e.wantObject("k", slices.Concat(first, second, tail))
	if o.ETag != res.ETag || res.ETag == "" {
		e.Errorf("ETag is %s, complete said %s", o.ETag, res.ETag)
	}
	if o.Parts != 0 && o.Parts != 3 {
		e.Errorf("%d parts", o.Parts)
	}
	e.wantHeaders("k", fullHeaders())

	// A repetition is answered as the first time, or the upload is gone.
	again, err := e.s.Complete(e.Context(), e.key("k"), id, parts, store.Cond{})
	if err != nil {
		e.wantKind("second complete", err, store.ErrNoUpload)
	} else if again.ETag != res.ETag {
		e.Errorf("second complete made %s of %s", again.ETag, res.ETag)
	}
	if o := e.wantObject("k", slices.Concat(first, second, tail)); o.ETag != res.ETag {
		e.Errorf("second complete changed the object")
	}

	id = e.create("small", store.Headers{})
	p := e.part("small", id, 1, []byte("only part"))
	if _, err := e.s.Complete(e.Context(), e.key("small"), id, []store.Part{p}, store.Cond{}); err != nil {
		e.Errorf("complete of one small part: %v", err)
	}
	e.wantString("small", "only part")
}

func testMultipartRefused(e *env) {
	id := e.create("k", store.Headers{})
	p1 := e.part("k", id, 1, pattern(e.s.Limits().MinPart, 8))
	p2 := e.part("k", id, 2, []byte("tail"))
	wrong := store.Part{Number: 2, ETag: otherETag, Size: 4}
	complete := func(name, id string, parts ...store.Part) error {
		_, err := e.s.Complete(e.Context(), e.key(name), id, parts, store.Cond{})
		return err
	}
	e.wantKind("parts out of order", complete("k", id, p2, p1), store.ErrInvalid)
	e.wantKind("a part with another ETag", complete("k", id, p1, wrong), store.ErrInvalid)
	wrong.Number = 5
	e.wantKind("a part that was not uploaded", complete("k", id, p1, wrong), store.ErrInvalid)
	e.wantAbsent("k")
	if err := complete("k", id, p1, p2); err != nil {
		e.Errorf("complete after refused ones: %v", err)
	}
	if e.s.Limits().MinPart > 1 {
		id = e.create("small", store.Headers{})
		s1, s2 := e.part("small", id, 1, nil), e.part("small", id, 2, []byte("tail"))
		e.wantKind("a first part that is too small", complete("small", id, s1, s2), store.ErrInvalid)
		e.wantAbsent("small")
		e.abort("small", id)
	}
}

func (e *env) abort(name, id string) {
	e.Helper()
	if err := e.s.Abort(e.Context(), e.key(name), id); err != nil {
		e.Errorf("abort: %v", err)
	}
}

func testMultipartConditions(e *env) {
	complete := func(name, data string, c store.Cond) (id string, p store.Part, err error) {
		id = e.create(name, store.Headers{})
		p = e.part(name, id, 1, []byte(data))
		_, err = e.s.Complete(e.Context(), e.key(name), id, []store.Part{p}, c)
		return id, p, err
	}
	etag := e.puts("k", "old").ETag
	id, p, err := complete("k", "if absent", store.Cond{IfNoneMatch: true})
	e.wantKind("complete if absent over an object", err, store.ErrChanged)
	e.wantString("k", "old")
	// The upload is still there: the caller decides what becomes of it.
	res, err := e.s.Complete(e.Context(), e.key("k"), id, []store.Part{p}, store.Cond{IfMatch: etag})
	if err != nil {
		e.Fatalf("complete with the right If-Match after a refused one: %v", err)
	}
	e.wantString("k", "if absent")

	id, _, err = complete("k", "wrong", store.Cond{IfMatch: etag})
	e.wantKind("complete with an ETag that was right", err, store.ErrChanged)
	e.abort("k", id)
	if o := e.wantString("k", "if absent"); o.ETag != res.ETag {
		e.Errorf("ETag %s, want %s", o.ETag, res.ETag)
	}
	id, _, err = complete("absent", "x", store.Cond{IfMatch: otherETag})
	e.wantKind("complete with If-Match on an absent key", err, store.ErrChanged, store.ErrNotExist)
	e.abort("absent", id)
	e.wantAbsent("absent")
}

func testAbort(e *env) {
	id := e.create("k", store.Headers{})
	p := e.part("k", id, 1, []byte("x"))
	e.abort("k", id)
	e.abort("k", id)
	_, err := e.s.UploadPart(e.Context(), e.key("k"), id, 2, section([]byte("y")))
	e.wantKind("part of an aborted upload", err, store.ErrNoUpload)
	_, err = e.s.Complete(e.Context(), e.key("k"), id, []store.Part{p}, store.Cond{})
	e.wantKind("complete of an aborted upload", err, store.ErrNoUpload)
	e.puts("source", "source")
	_, err = e.s.CopyPart(e.Context(), e.key("k"), id, 2, e.key("source"), "", store.Range{Off: 0, Len: 3})
	e.wantKind("copied part of an aborted upload", err, store.ErrNoUpload)
	e.wantAbsent("k")

	id = e.create("k", store.Headers{})
	_, err = e.s.UploadPart(e.Context(), e.key("other"), id, 1, section([]byte("y")))
	e.wantKind("part of an upload of another key", err, store.ErrNoUpload)
	e.abort("k", id)

	one, two := e.create("k", store.Headers{}), e.create("k", store.Headers{})
	if one == two {
		e.Errorf("two uploads have the id %q", one)
	}
	e.abort("k", two)
	p = e.part("k", one, 1, []byte("one"))
	if _, err := e.s.Complete(e.Context(), e.key("k"), one, []store.Part{p}, store.Cond{}); err != nil {
		e.Errorf("complete beside an aborted upload: %v", err)
	}
	e.wantString("k", "one")
}

func testCopyPart(e *env) {
	size := e.s.Limits().MinPart
	src := pattern(size+50, 9)
	etag := e.put("so urce+%", src, store.Headers{}).ETag
	id := e.create("k", store.Headers{})
	copyPart := func(n int32, etag string, r store.Range) (store.Part, error) {
		return e.s.CopyPart(e.Context(), e.key("k"), id, n, e.key("so urce+%"), etag, r)
	}
	p1, err := copyPart(1, etag, store.Range{Off: 50, Len: size})
	if err != nil {
		e.Fatalf("copy-part: %v", err)
	}
	if p1.Number != 1 || p1.Size != size || p1.ETag == "" {
		e.Errorf("copied part is %+v", p1)
	}
	_, err = copyPart(2, otherETag, store.Range{Off: 0, Len: size})
	e.wantKind("copy-part of another version", err, store.ErrChanged)
	_, err = e.s.CopyPart(e.Context(), e.key("k"), id, 2, e.key("absent"), "", store.Range{Off: 0, Len: 1})
	e.wantKind("copy-part of an absent key", err, e.absent())
	p2, err := copyPart(2, "", store.All)
	if err != nil {
		e.Fatalf("copy-part of the whole source: %v", err)
	}
	p3 := e.part("k", id, 3, []byte("tail"))
	if _, err := e.s.Complete(e.Context(), e.key("k"), id, []store.Part{p1, p2, p3}, store.Cond{}); err != nil {
		e.Fatalf("complete: %v", err)
	}
	e.wantObject("k", slices.Concat(src[50:], src, []byte("tail")))
	e.wantObject("so urce+%", src)
	if _, err := e.s.Copy(e.Context(), store.CopyRequest{Source: e.key("k"), Target: e.key("copy")}); err != nil {
		e.Fatalf("copy: %v", err)
	}
	for _, name := range []string{"k", "copy"} { // what tells a wrong one makes right bytes an error of every reader
		o, err := e.s.Head(e.Context(), e.key(name), store.Cond{})
		if want := "CRC32:" + crc(slices.Concat(src[50:], src, []byte("tail"))); err != nil || strings.HasPrefix(o.Checksum, "CRC32:") && o.Checksum != want {
			e.Errorf("checksum of %s is %q, want none or %s: %v", name, o.Checksum, want, err)
		}
	}

	id = e.create("k", store.Headers{})
	if _, err = copyPart(1, "", store.Range{Off: size, Len: 1000}); err == nil {
		e.Error("copy-part of a range behind the source's end succeeded")
	} else if !errors.Is(err, store.ErrInvalid) {
		e.wantKind("copy-part of a range behind the source's end", err, store.ErrInvalid)
	}
	e.abort("k", id)
}
