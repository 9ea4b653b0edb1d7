package s3store_test

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/s3store"
)

var allHeaders = store.Headers{
	ContentType: "image/png", ContentEncoding: "gzip", ContentDisposition: `attachment; filename="ü"`,
	ContentLanguage: "de", CacheControl: "max-age=1", Expires: "0", WebsiteRedirect: "/x",
	StorageClass: "STANDARD_IA", SSE: "aws:kms", SSEKMSKeyID: "arn:k", BucketKey: true, Tags: "a=1&b=x+y", ACL: "public-read",
	Metadata: map[string]string{"mode": "33188"},
}

var wireHeaders = map[string]string{
	"Content-Type": "image/png", "Content-Encoding": "gzip", "Content-Disposition": `attachment; filename="ü"`,
	"Content-Language": "de", "Cache-Control": "max-age=1", "Expires": "0", "X-Amz-Website-Redirect-Location": "/x",
	"X-Amz-Storage-Class": "STANDARD_IA", "X-Amz-Server-Side-Encryption": "aws:kms",
	"X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id":     "arn:k",
	"X-Amz-Server-Side-Encryption-Bucket-Key-Enabled": "true", "X-Amz-Meta-Mode": "33188", "X-Amz-Tagging": "a=1&b=x+y", "X-Amz-Acl": "public-read",
}

func answerWrites(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Etag", `"new"`)
	switch {
	case r.Header.Get("X-Amz-Copy-Source") != "" && r.URL.Query().Has("uploadId"):
		_, _ = io.WriteString(w, `<CopyPartResult><ETag>"part"</ETag></CopyPartResult>`)
	case r.Header.Get("X-Amz-Copy-Source") != "":
		_, _ = io.WriteString(w, `<CopyObjectResult><ETag>"new"</ETag><LastModified>2026-11-23T10:00:00Z</LastModified></CopyObjectResult>`)
	case r.URL.Query().Has("uploads"):
		_, _ = io.WriteString(w, `<InitiateMultipartUploadResult><UploadId>id</UploadId></InitiateMultipartUploadResult>`)
	case r.Method == http.MethodPost && r.URL.Query().Has("uploadId"):
		_, _ = io.WriteString(w, `<CompleteMultipartUploadResult><ETag>"new"</ETag></CompleteMultipartUploadResult>`)
	case r.URL.Query().Has("delete"):
		_, _ = io.WriteString(w, `<DeleteResult><Error><Key>b</Key><Code>AccessDenied</Code></Error>`+
			`<Error><Key>c</Key><Code>InternalError</Code></Error><Error><Key>d</Key><Code>NoSuchKey</Code></Error></DeleteResult>`)
	}
}

func checkWire(t *testing.T, got http.Header, want map[string]string) {
	t.Helper()
	for k, v := range want {
		if got.Get(k) != v {
			t.Errorf("%s: %q, want %q", k, got.Get(k), v)
		}
	}
}

// TestHeadersTravel: each header goes out with each request that makes an object.
func TestHeadersTravel(t *testing.T) {
	t.Parallel()
	f := newFake(t, answerWrites)
	s := open(t, f.URL)
	if _, err := s.Put(t.Context(), "k", section("x"), allHeaders, store.Cond{IfNoneMatch: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(t.Context(), "k", allHeaders); err != nil {
		t.Fatal(err)
	}
	r := store.CopyRequest{Source: "a", SourceETag: `"e"`, Target: "k", Headers: &allHeaders, Cond: store.Cond{IfMatch: `"old"`}}
	put, err := s.Copy(t.Context(), r)
	if diff := cmp.Diff(store.PutResult{ETag: `"new"`, LastModified: testTime}, put); diff != "" || err != nil {
		t.Fatal(err, diff)
	}
	if _, err := s.Copy(t.Context(), store.CopyRequest{Source: "a", Target: "k", Known: &store.Headers{}}); err != nil {
		t.Fatal(err)
	}
	seen := f.requests()
	for _, r := range seen[:3] {
		checkWire(t, r.Header, wireHeaders)
	}
	checkWire(t, seen[0].Header, map[string]string{"If-None-Match": "*", "If-Match": ""})
	checkWire(t, seen[1].Header, map[string]string{"X-Amz-Checksum-Algorithm": "CRC32", "X-Amz-Checksum-Type": "FULL_OBJECT"})
	checkWire(t, seen[2].Header, map[string]string{
		"X-Amz-Metadata-Directive": "REPLACE", "X-Amz-Copy-Source-If-Match": `"e"`, "If-Match": `"old"`,
	})
	checkWire(t, seen[3].Header, map[string]string{
		"X-Amz-Metadata-Directive": "", "X-Amz-Copy-Source-If-Match": "", "If-Match": "", "Expires": "", "X-Amz-Meta-Mode": "",
	})
}

// TestCopiesKeepWhatS3DoesNot: storage class, encryption and redirect are given to a copy that keeps its source's headers: S3 copies all
// others. They are asked for once, where nobody knows them, of the version that is copied.
func TestCopiesKeepWhatS3DoesNot(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			for k, v := range wireHeaders {
				w.Header().Set(k, v)
			}
		}
		answerWrites(w, r)
	})
	s := open(t, f.URL)
	wire := map[string]string{"X-Amz-Metadata-Directive": "", "X-Amz-Meta-Mode": "", "Content-Type": ""}
	for k, v := range wireHeaders {
		if strings.HasPrefix(k, "X-Amz-Server-Side") || k == "X-Amz-Storage-Class" || k == "X-Amz-Website-Redirect-Location" {
			wire[k] = v
		}
	}
	for _, known := range []*store.Headers{nil, &allHeaders} {
		if _, err := s.Copy(t.Context(), store.CopyRequest{Source: "a", SourceETag: `"e"`, Target: "k", Known: known}); err != nil {
			t.Fatal(err)
		}
	}
	seen := f.requests()
	if len(seen) != 3 || seen[0].Method != http.MethodHead || seen[0].Header.Get("If-Match") != `"e"` {
		t.Fatalf("%d requests, the first a %s", len(seen), seen[0].Method)
	}
	checkWire(t, seen[1].Header, wire)
	checkWire(t, seen[2].Header, wire)
}

// TestBodies: a body goes out once, whole, from its start; with its checksum
// where servers take one, and never chunked over plain http.
func TestBodies(t *testing.T) {
	t.Parallel()
	for _, checksums := range []string{s3store.ChecksumsSupported, s3store.ChecksumsRequired} {
		f := newFake(t, answerWrites)
		s := open(t, f.URL, func(c *s3store.Config) { c.Checksums = checksums })
		body := section("hello")
		if _, err := body.Seek(3, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Put(t.Context(), "k", body, store.Headers{}, store.Cond{}); err != nil {
			t.Fatal(err)
		}
		part, err := s.UploadPart(t.Context(), "k", "id", 7, section("hello"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Put(t.Context(), "empty", section(""), store.Headers{}, store.Cond{}); err != nil {
			t.Fatal(err)
		}
		crc := "NhCmhg==" // of "hello"
		if checksums == s3store.ChecksumsRequired {
			crc = ""
		}
		want := store.Part{Number: 7, ETag: `"new"`, Size: 5, Checksum: crc}
		if diff := cmp.Diff(want, part); diff != "" {
			t.Error(diff)
		}
		for i, r := range f.requests() {
			text := []string{"hello", "hello", ""}[i]
			if r.body != text || r.ContentLength != int64(len(text)) || r.Header.Get("Content-Encoding") != "" {
				t.Errorf("%s %d: %q, length %d, %v", checksums, i, r.body, r.ContentLength, r.Header)
			}
			if text != "" {
				checkWire(t, r.Header, map[string]string{"X-Amz-Checksum-Crc32": crc, "X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD"})
			}
		}
	}
}

// TestPayloadHash: what protects a body depends on where it goes.
func TestPayloadHash(t *testing.T) {
	t.Parallel()
	for endpoint, want := range map[string]string{
		"http://127.0.0.1:1":    "UNSIGNED-PAYLOAD",
		"http://s3.example:80":  "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", // of "hello"
		"https://s3.example:80": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",                               // CRC32 behind the body
	} {
		var got string
		s := open(t, endpoint, func(c *s3store.Config) {
			c.Transport = wire(func(r *http.Request) (*http.Response, error) {
				got = r.Header.Get("X-Amz-Content-Sha256")
				_, _ = io.Copy(io.Discard, r.Body)
				return answer(http.NoBody, 0), nil
			})
		})
		if _, err := s.Put(t.Context(), "k", section("hello"), store.Headers{}, store.Cond{}); err != nil || got != want {
			t.Errorf("%s: %q, %v", endpoint, got, err)
		}
	}
}

func TestMultipart(t *testing.T) {
	t.Parallel()
	f := newFake(t, answerWrites)
	s := open(t, f.URL)
	part, err := s.CopyPart(t.Context(), "k", "id", 2, "a+b", `"e"`, store.Range{Off: 5, Len: 10})
	if diff := cmp.Diff(store.Part{Number: 2, ETag: `"part"`, Size: 10}, part); diff != "" || err != nil {
		t.Fatal(err, diff)
	}
	put, err := s.Complete(t.Context(), "k", "id", []store.Part{{Number: 1, ETag: `"p1"`, Checksum: "AA=="}, part}, store.Cond{IfMatch: `"old"`})
	if diff := cmp.Diff(store.PutResult{ETag: `"new"`}, put); diff != "" || err != nil {
		t.Fatal(err, diff)
	}
	if err := s.Abort(t.Context(), "k", "id"); err != nil {
		t.Fatal(err)
	}
	seen := f.requests()
	checkWire(t, seen[0].Header, map[string]string{
		"X-Amz-Copy-Source": "bucket/a%2Bb", "X-Amz-Copy-Source-If-Match": `"e"`, "X-Amz-Copy-Source-Range": "bytes=5-14",
	})
	checkWire(t, seen[1].Header, map[string]string{"If-Match": `"old"`})
	for _, want := range []string{"<ETag>&#34;p1&#34;</ETag>", "<ChecksumCRC32>AA==</ChecksumCRC32>", "<PartNumber>2</PartNumber>"} {
		if !strings.Contains(seen[1].body, want) {
			t.Errorf("%q is not in %s", want, seen[1].body)
		}
	}
	for _, r := range []store.Range{{}, {Off: 3, Len: -1}} {
		if _, err := s.CopyPart(t.Context(), "k", "id", 2, "a", "", r); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

func TestDeleteMany(t *testing.T) {
	t.Parallel()
	for _, checksums := range []string{s3store.ChecksumsSupported, s3store.ChecksumsRequired} {
		f := newFake(t, answerWrites)
		s := open(t, f.URL, func(c *s3store.Config) { c.Checksums = checksums })
		failed, err := s.DeleteMany(t.Context(), []string{"a", "b", "c", "d"})
		if err != nil {
			t.Fatal(err)
		}
		if len(failed) != 2 || failed[0].Key != "b" || !errors.Is(failed[0].Err, store.ErrPermission) ||
			failed[1].Key != "c" || !errors.Is(failed[1].Err, store.ErrTransient) {
			t.Errorf("%v", failed)
		}
		r := f.requests()[0]
		if old := r.Header.Get("Content-Md5") != ""; old != (checksums == s3store.ChecksumsRequired) {
			t.Errorf("%s: %v", checksums, r.Header)
		}
		if none, err := s.DeleteMany(t.Context(), nil); none != nil || err != nil {
			t.Error(none, err)
		}
		if n := len(f.requests()); n != 1 {
			t.Errorf("%d requests", n)
		}
	}
}

// TestDeleteManyOfKeysThatXMLHasNot: they are removed by requests of their own, never another key in their stead.
func TestDeleteManyOfKeysThatXMLHasNot(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPost:
			_, _ = io.WriteString(w, "<DeleteResult></DeleteResult>")
		case strings.HasSuffix(r.URL.Path, "denied\x02"):
			refuse(w, http.StatusForbidden, "AccessDenied")
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	})
	s := open(t, f.URL)
	failed, err := s.DeleteMany(t.Context(), []string{"a", "b\x01", "\uffff", "latin\xe9", "tab\t\r\n", "denied\x02"})
	if err != nil || len(failed) != 1 || failed[0].Key != "denied\x02" || !errors.Is(failed[0].Err, store.ErrPermission) {
		t.Errorf("%v, %v", failed, err)
	}
	var asked []string
	for _, r := range f.requests() {
		asked = append(asked, r.Method+" "+r.URL.Path)
		if r.Method == http.MethodPost && (strings.Count(r.body, "<Key>") != 2 || strings.Contains(r.body, "\ufffd")) {
			t.Errorf("%q", r.body)
		}
	}
	if want := []string{"DELETE /bucket/b\x01", "DELETE /bucket/\uffff", "DELETE /bucket/latin\xe9", "DELETE /bucket/denied\x02", "POST /bucket"}; !slices.Equal(asked, want) {
		t.Errorf("%q, want %q", asked, want)
	}
	if failed, err := s.DeleteMany(t.Context(), []string{"only\x01"}); err != nil || failed != nil {
		t.Errorf("%v, %v", failed, err)
	}
}

// TestCopySource: whatever a key holds, the server reads it back.
func TestCopySource(t *testing.T) {
	t.Parallel()
	f := newFake(t, answerWrites)
	s := open(t, f.URL)
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.StringN(1, 30, -1).Draw(t, "key")
		if _, err := s.Copy(t.Context(), store.CopyRequest{Source: key, Target: "k"}); err != nil {
			t.Fatal(err)
		}
		seen := f.requests()
		raw := seen[len(seen)-1].Header.Get("X-Amz-Copy-Source")
		got, err := url.QueryUnescape(raw) // reads + as a space, the strictest there is
		if err != nil || got != "bucket/"+key {
			t.Fatalf("%q: %q, %v", key, raw, err)
		}
	})
}
