package storetest

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/store"
)

func testLimits(e *env) {
	l := e.s.Limits()
	switch {
	case l.MinPart < 1 || l.MaxPart < l.MinPart || l.MaxParts < 1:
		e.Errorf("parts: %+v", l)
	case !l.Multipart() && (l.MaxPut < l.MaxObject || l.MaxCopy < l.MaxObject):
		e.Errorf("objects are whole, but not all of them: %+v", l)
	case l.MaxPut < 1 || l.MaxCopy < 1 || l.MaxObject < l.MaxPut:
		e.Errorf("sizes: %+v", l)
	case l.MaxKey < 1 || l.MaxDelete < 1:
		e.Errorf("keys: %+v", l)
	}
}

func testRoundTrip(e *env) {
	for _, size := range []int64{0, 1, 4096, 1<<20 + 7} {
		data := pattern(size, 1)
		before := time.Now().Add(-5 * time.Minute) // clocks differ
		res := e.put("object", data, store.Headers{})
		got := e.wantObject("object", data)
		head, err := e.s.Head(e.Context(), e.key("object"), store.Cond{})
		if err != nil {
			e.Fatalf("head: %v", err)
		}
		listed, _, _ := e.listing("object", store.ListOptions{})
		if len(listed) != 1 {
			e.Fatalf("listed %v", listed)
		}
		for from, o := range map[string]store.Object{"get": got, "head": head, "list": listed[0]} {
			if o.Key != e.key("object") || o.Size != size || o.ETag != res.ETag {
				e.Errorf("%s: key %q, size %d, ETag %s; put %d bytes as %s", from, o.Key, o.Size, o.ETag, size, res.ETag)
			}
			if o.LastModified.Before(before) || o.LastModified.After(time.Now().Add(5*time.Minute)) {
				e.Errorf("%s: last modified %v", from, o.LastModified)
			}
			if !o.LastModified.Truncate(time.Second).Equal(head.LastModified.Truncate(time.Second)) {
				e.Errorf("%s: last modified %v, head says %v", from, o.LastModified, head.LastModified)
			}
			if (o.Headers == nil) != (from == "list") {
				e.Errorf("%s: headers %v", from, o.Headers)
			}
			if sum, ok := strings.CutPrefix(o.Checksum, "CRC32:"); ok && sum != crc(data) {
				e.Errorf("%s: checksum %s, want %s", from, sum, crc(data))
			}
		}
		if len(res.ETag) < 2 || res.ETag[0] != '"' {
			e.Errorf("ETag %s is not as the server sent it, with quotes", res.ETag)
		}
	}
}

func crc(data []byte) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(data)))
}

// testBodySections sends sections of something larger, whose position is not at
// their start, and one whose source ends too early.
func testBodySections(e *env) {
	whole := pattern(100_000, 2)
	part := io.NewSectionReader(strings.NewReader(string(whole)), 1_000, 70_000)
	if _, err := part.Seek(30_000, io.SeekStart); err != nil {
		e.Fatal(err)
	}
	if _, err := e.s.Put(e.Context(), e.key("section"), part, store.Headers{}, store.Cond{}); err != nil {
		e.Fatalf("put: %v", err)
	}
	e.wantObject("section", whole[1_000:71_000])

	broken := errors.New("disk is broken")
	_, err := e.s.Put(e.Context(), e.key("broken"), io.NewSectionReader(failingReader{broken}, 0, 10_000), store.Headers{}, store.Cond{})
	if !errors.Is(err, broken) {
		e.Errorf("put of a body that can not be read: %v", err)
	}
	e.wantAbsent("broken")
	short := io.NewSectionReader(strings.NewReader("short"), 0, 10_000)
	if _, err := e.s.Put(e.Context(), e.key("short"), short, store.Headers{}, store.Cond{}); err == nil {
		e.Error("put of a body that is shorter than its section succeeded")
	}
	e.wantAbsent("short")
}

type failingReader struct{ err error }

func (r failingReader) ReadAt(p []byte, off int64) (int, error) {
	if off >= 5_000 {
		return 0, r.err
	}
	n := min(int64(len(p)), 5_000-off)
	if n < int64(len(p)) {
		return int(n), r.err
	}
	return int(n), nil
}

// fullHeaders has every header that each server keeps. The declared encoding is
// a lie, so that a client which decodes by it is found.
func fullHeaders() store.Headers {
	return store.Headers{
		ContentType: "text/plain; charset=utf-8", ContentEncoding: "gzip",
		ContentDisposition: `attachment; filename="a b.txt"`, ContentLanguage: "de-CH, en",
		CacheControl: "max-age=60, no-transform", Expires: "Wed, 21 Oct 2043 07:28:00 GMT",
		Metadata: map[string]string{
			"s3levelfs-w": "0123abcd", "mode": "33188", "file-permissions": "rw r--", "empty-not": "a=b;c,d \"e\"",
		},
	}
}

func testHeaders(e *env) {
	e.put("full", []byte("not gzip"), fullHeaders())
	e.wantHeaders("full", fullHeaders())
	e.put("none", []byte("x"), store.Headers{})
	e.wantHeaders("none", store.Headers{})
	e.put("full", []byte("again"), store.Headers{ContentType: "text/html"})
	e.wantHeaders("full", store.Headers{ContentType: "text/html"})
}

// wantHeaders asserts what Head and Get say of an object's headers. Servers may
// name a Content-Type, storage class or encryption where none was given.
func (e *env) wantHeaders(name string, want store.Headers) {
	e.Helper()
	head, err := e.s.Head(e.Context(), e.key(name), store.Cond{})
	if err != nil {
		e.Errorf("head %q: %v", name, err)
		return
	}
	_, got, err := e.get(name, store.All, store.Cond{})
	if err != nil {
		e.Errorf("get %q: %v", name, err)
		return
	}
	for from, o := range map[string]store.Object{"head": head, "get": got} {
		if o.Headers == nil {
			e.Errorf("%s %q: no headers", from, name)
			continue
		}
		h := o.Headers.Clone()
		if from == "get" {
			h.Tags = want.Tags // it need not tell them
		}
		if want.ContentType == "" {
			h.ContentType = ""
		}
		if want.SSE == "" {
			h.SSE, h.SSEKMSKeyID, h.BucketKey = "", "", false
		}
		if len(h.Metadata) == 0 {
			h.Metadata = nil
		}
		if d := cmp.Diff(want, h); d != "" {
			e.Errorf("%s %q: headers (-want +got):\n%s", from, name, d)
		}
	}
}

func testOptionalHeaders(e *env) {
	optional := []struct {
		field string
		h     store.Headers
	}{
		{"WebsiteRedirect", store.Headers{ContentType: "text/plain", WebsiteRedirect: "/elsewhere.html"}},
		{"StorageClass", store.Headers{ContentType: "text/plain", StorageClass: "STANDARD_IA"}},
		{"SSE", store.Headers{ContentType: "text/plain", SSE: "AES256"}},
		{"Tags", store.Headers{ContentType: "text/plain", Tags: "a=1&b=x+y"}},
	}
	for _, tt := range optional {
		_, err := e.s.Put(e.Context(), e.key(tt.field), section([]byte("x")), tt.h, store.Cond{})
		if !slices.Contains(e.f.Unkept, tt.field) {
			if err != nil {
				e.Errorf("put with %s: %v", tt.field, err)
				continue
			}
			e.wantHeaders(tt.field, tt.h)
			continue
		}
		if err != nil {
			e.wantKind("put with "+tt.field, err, store.ErrInvalid)
			continue
		}
		o, err := e.s.Head(e.Context(), e.key(tt.field), store.Cond{})
		if err != nil {
			e.Errorf("head: %v", err)
			continue
		}
		if got := reflect.ValueOf(*o.Headers).FieldByName(tt.field); reflect.DeepEqual(got.Interface(), reflect.ValueOf(tt.h).FieldByName(tt.field).Interface()) {
			e.Errorf("%s is kept, Features say that it is not", tt.field)
		}
	}
}

func testMarkers(e *env) {
	res, err := e.s.Put(e.Context(), e.key("dir/"), section(nil), store.Headers{Metadata: map[string]string{"mode": "16877"}}, store.Cond{IfNoneMatch: true})
	if err != nil {
		e.Fatalf("put marker: %v", err)
	}
	o := e.wantString("dir/", "")
	if o.ETag != res.ETag {
		e.Errorf("marker has ETag %s, put said %s", o.ETag, res.ETag)
	}
	e.wantHeaders("dir/", store.Headers{Metadata: map[string]string{"mode": "16877"}})
	_, err = e.s.Put(e.Context(), e.key("dir/"), section(nil), store.Headers{}, store.Cond{IfNoneMatch: true})
	e.wantKind("second put of a marker", err, store.ErrChanged)
	e.puts("dir/file", "x")
	_, keys, prefixes := e.listing("dir/", store.ListOptions{Delimiter: "/"})
	if d := cmp.Diff([]string{"dir/", "dir/file"}, keys); d != "" || len(prefixes) > 0 {
		e.Errorf("listing of a directory with a marker: %v\n%s", prefixes, d)
	}
	if err := e.s.Delete(e.Context(), e.key("dir/"), store.Cond{}); err != nil {
		e.Errorf("delete marker: %v", err)
	}
	if _, keys, _ = e.listing("dir/", store.ListOptions{}); !slices.Equal(keys, []string{"dir/file"}) {
		e.Errorf("after deleting the marker: %v", keys)
	}
	_, err = e.s.Put(e.Context(), e.key("full/"), section([]byte("bytes")), store.Headers{}, store.Cond{})
	if e.f.NoMarkerContent {
		e.wantKind("put of bytes under a key that ends in a slash", err, store.ErrInvalid)
		return
	}
	if err != nil {
		e.Fatalf("put of bytes under a key that ends in a slash: %v", err)
	}
	e.wantString("full/", "bytes")
}
