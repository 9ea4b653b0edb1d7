package s3store_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/store"
)

var testTime = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

const content = "0123456789"

// serveContent answers ranges as net/http does, which is as S3 does.
func serveContent(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Etag", `"e1"`)
	http.ServeContent(w, r, "", testTime, strings.NewReader(content))
}

func TestGetRanges(t *testing.T) {
	t.Parallel()
	servers := map[string]http.HandlerFunc{
		"ranges": serveContent,
		"none": func(w http.ResponseWriter, r *http.Request) {
			r.Header.Del("Range")
			serveContent(w, r)
		},
	}
	for name, server := range servers {
		s := open(t, newFake(t, server).URL)
		for _, c := range []struct {
			r    store.Range
			want string
		}{
			{store.All, content},
			{store.Range{Off: 0, Len: 3}, "012"},
			{store.Range{Off: 3, Len: 4}, "3456"},
			{store.Range{Off: 7, Len: -1}, "789"},
			{store.Range{Off: 7, Len: 100}, "789"},
			{store.Range{Off: 9, Len: 1}, "9"},
			{store.Range{Off: 10, Len: 1}, ""},
			{store.Range{Off: 99, Len: -1}, ""},
			{store.Range{Off: 5, Len: 0}, ""},
		} {
			body, o, err := s.Get(t.Context(), "k", c.r, store.Cond{})
			if err != nil {
				t.Fatalf("%s %+v: %v", name, c.r, err)
			}
			got, err := io.ReadAll(body)
			if err != nil || string(got) != c.want {
				t.Errorf("%s %+v: %q, %v, want %q", name, c.r, got, err, c.want)
			}
			if o.Size != 10 || o.ETag != `"e1"` || !o.LastModified.Equal(testTime) || o.Key != "k" {
				t.Errorf("%s %+v: %+v", name, c.r, o)
			}
			if err := body.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestEarlyEnd: no way of ending early looks like the end.
func TestEarlyEnd(t *testing.T) {
	t.Parallel()
	for name, server := range map[string]http.HandlerFunc{
		"cut": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "01234")
		},
		"chunked": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", "bytes 0-9/10")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = io.WriteString(w, "01234")
			w.(http.Flusher).Flush()
		},
	} {
		body, _, err := open(t, newFake(t, server).URL).Get(t.Context(), "k", store.Range{Len: 10}, store.Cond{})
		if err != nil {
			t.Fatal(name, err)
		}
		got, err := io.ReadAll(body)
		if string(got) != "01234" || !errors.Is(err, io.ErrUnexpectedEOF) || !errors.Is(err, store.ErrTransient) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if _, err := body.Read(make([]byte, 1)); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: the error is not told again: %v", name, err)
		}
		_ = body.Close()
	}
}

// TestWrongRange: an answer of another range than asked for is an error.
func TestWrongRange(t *testing.T) {
	t.Parallel()
	for _, given := range []string{"bytes 1-3/10", "bytes 0-1/10", "bytes 0-2/*", "0-2", "bytes 0-2/3x"} {
		f := newFake(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", given)
			w.WriteHeader(http.StatusPartialContent)
			_, _ = io.WriteString(w, "012")
		})
		_, _, err := open(t, f.URL).Get(t.Context(), "k", store.Range{Len: 3}, store.Cond{})
		if !errors.Is(err, store.ErrTransient) {
			t.Errorf("%q: %v", given, err)
		}
	}
}

// TestStoredEncoding: compressed objects come as they are stored.
func TestStoredEncoding(t *testing.T) {
	t.Parallel()
	packed := []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 0, 0, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0}
	f := newFake(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(packed)
	})
	body, o, err := open(t, f.URL).Get(t.Context(), "k", store.All, store.Cond{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = body.Close() }()
	got, err := io.ReadAll(body)
	if err != nil || !bytes.Equal(got, packed) || o.Headers.ContentEncoding != "gzip" {
		t.Errorf("%x, %v, %+v", got, err, o.Headers)
	}
	if accept := f.requests()[0].Header.Get("Accept-Encoding"); accept == "gzip" {
		t.Errorf("the transport offers compression: %q", accept)
	}
}

func TestReadConditions(t *testing.T) {
	t.Parallel()
	f := newFake(t, serveContent)
	s := open(t, f.URL)
	for _, c := range []store.Cond{{IfMatch: `"other"`}, {IfNoneMatch: true}, {IfUnmodifiedSince: testTime.Add(-time.Hour)}} {
		if _, err := s.Head(t.Context(), "k", c); !errors.Is(err, store.ErrChanged) {
			t.Errorf("head %+v: %v", c, err)
		}
		if _, _, err := s.Get(t.Context(), "k", store.Range{Len: 1}, c); !errors.Is(err, store.ErrChanged) {
			t.Errorf("get %+v: %v", c, err)
		}
		if _, _, err := s.Get(t.Context(), "k", store.Range{Off: 50, Len: 1}, c); !errors.Is(err, store.ErrChanged) {
			t.Errorf("get behind the end %+v: %v", c, err)
		}
	}
	if _, err := s.Head(t.Context(), "k", store.Cond{IfMatch: `"e1"`}); err != nil {
		t.Error(err)
	}
}

func TestHeadHeaders(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Amz-Checksum-Mode") != "ENABLED" {
			t.Error("checksums are not asked for")
		}
		for k, v := range map[string]string{
			"Content-Type": "image/png", "Content-Encoding": "br", "Content-Disposition": "inline",
			"Content-Language": "de", "Cache-Control": "no-store", "Expires": "0", "Etag": `"e-2"`, "Content-Length": "7",
			"X-Amz-Website-Redirect-Location": "/x", "X-Amz-Storage-Class": "GLACIER_IR",
			"X-Amz-Server-Side-Encryption": "aws:kms", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": "arn:k",
			"X-Amz-Server-Side-Encryption-Bucket-Key-Enabled": "true", "X-Amz-Meta-Mode": "33188",
			"X-Amz-Mp-Parts-Count": "2", "X-Amz-Checksum-Crc64nvme": "AAAA=", "X-Amz-Checksum-Type": "FULL_OBJECT",
			"X-Amz-Version-Id": "v1",
		} {
			w.Header().Set(k, v)
		}
	})
	got, err := open(t, f.URL).Head(t.Context(), "k", store.Cond{})
	want := store.Object{
		Key: "k", Size: 7, ETag: `"e-2"`, VersionID: "v1", StorageClass: "GLACIER_IR", Checksum: "CRC64NVME:AAAA=", Parts: 2,
		Headers: &store.Headers{
			ContentType: "image/png", ContentEncoding: "br", ContentDisposition: "inline", ContentLanguage: "de",
			CacheControl: "no-store", Expires: "0", WebsiteRedirect: "/x", StorageClass: "GLACIER_IR",
			SSE: "aws:kms", SSEKMSKeyID: "arn:k", BucketKey: true, Metadata: map[string]string{"mode": "33188"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

// TestComposite: a checksum of checksums is none of the object's.
func TestComposite(t *testing.T) {
	t.Parallel()
	for _, h := range []string{"X-Amz-Checksum-Type: COMPOSITE", "X-Amz-Checksum-Sha256: AAAA=-3"} {
		f := newFake(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amz-Checksum-Sha256", "AAAA=")
			k, v, _ := strings.Cut(h, ": ")
			w.Header().Set(k, v)
		})
		if o, err := open(t, f.URL).Head(t.Context(), "k", store.Cond{}); err != nil || o.Checksum != "" || !o.Composite {
			t.Errorf("%s: %q, composite %v, %v", h, o.Checksum, o.Composite, err)
		}
	}
}

const listing = `<ListBucketResult><IsTruncated>%t</IsTruncated>%s%s` +
	`<Contents><Key>%s</Key><Size>3</Size><ETag>&quot;e&quot;</ETag><StorageClass>STANDARD</StorageClass></Contents>` +
	`<CommonPrefixes><Prefix>%s</Prefix></CommonPrefixes></ListBucketResult>`

func TestList(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if q.Get("continuation-token") == "" {
			_, _ = fmt.Fprintf(w, listing, true, "<NextContinuationToken>t1</NextContinuationToken>",
				"<EncodingType>url</EncodingType>", "p/a+b%2Bc%25%01", "p/d+d/")
			return
		}
		_, _ = fmt.Fprintf(w, listing, false, "", "", "p/a+b%41", "p/z+/")
	})
	var got []store.Page
	for p, err := range open(t, f.URL).List(t.Context(), "p/", store.ListOptions{Delimiter: "/", StartAfter: "p/0", PageSize: 2}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, p)
	}
	object := func(key string) []store.Object { return []store.Object{{Key: key, Size: 3, ETag: `"e"`}} }
	want := []store.Page{
		{Objects: object("p/a b+c%\x01"), Prefixes: []string{"p/d d/"}, More: true},
		{Objects: object("p/a+b%41"), Prefixes: []string{"p/z+/"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	first, second := f.requests()[0].URL.Query(), f.requests()[1].URL.Query()
	if first.Get("start-after") != "p/0" || first.Get("max-keys") != "2" || first.Get("delimiter") != "/" ||
		first.Get("encoding-type") != "url" || first.Get("prefix") != "p/" {
		t.Errorf("first page asked by %v", first)
	}
	if second.Get("continuation-token") != "t1" || second.Has("start-after") {
		t.Errorf("second page asked by %v", second)
	}
}

// TestListErrors: a listing that breaks off ends with an error, never in silence.
func TestListErrors(t *testing.T) {
	t.Parallel()
	for name, server := range map[string]http.HandlerFunc{
		"no token": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprintf(w, listing, true, "", "", "p/a", "p/b/")
		},
		"cut": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "<ListBucketResult><IsTruncated>false</IsTruncated><Contents>")
		},
		"bad name": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprintf(w, listing, false, "", "<EncodingType>url</EncodingType>", "p/%zz", "")
		},
		"second": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Has("continuation-token") {
				refuse(w, 403, "AccessDenied")
				return
			}
			_, _ = fmt.Fprintf(w, listing, true, "<NextContinuationToken>t</NextContinuationToken>", "", "p/a", "p/b/")
		},
	} {
		var last error
		for _, err := range open(t, newFake(t, server).URL).List(t.Context(), "p/", store.ListOptions{}) {
			last = err
		}
		if _, ok := errors.AsType[*store.Error](last); !ok {
			t.Errorf("%s: ended with %v", name, last)
		}
	}
}

// TestListStops: leaving the loop asks for no further page.
func TestListStops(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, listing, true, "<NextContinuationToken>t</NextContinuationToken>", "", "p/a", "p/b/")
	})
	for _, err := range open(t, f.URL).List(t.Context(), "p/", store.ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	if n := len(f.requests()); n != 1 {
		t.Errorf("%d requests", n)
	}
}

// TestSlowDownIsTold: who reads hears of it, though the request is repeated and succeeds.
func TestSlowDownIsTold(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusInternalServerError} {
		asked := 0
		s := open(t, newFake(t, func(w http.ResponseWriter, r *http.Request) {
			if asked++; asked == 1 {
				w.WriteHeader(status)
				return
			}
			serveContent(w, r)
		}).URL)
		told := 0
		body, _, err := s.Get(store.WithSlowDown(t.Context(), func() { told++ }), "k", store.All, store.Cond{})
		if err != nil {
			t.Fatal(err)
		}
		_ = body.Close()
		if want := status != http.StatusInternalServerError; (told == 1) != want {
			t.Errorf("%d: told %d times", status, told)
		}
	}
}

// TestGetOfParts: the number of the part goes instead of a range, the checksum that comes is that of the part.
func TestGetOfParts(t *testing.T) {
	t.Parallel()
	header := http.Header{}
	f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", `"e-2"`)
		w.Header().Set("X-Amz-Mp-Parts-Count", "2")
		w.Header().Set("X-Amz-Checksum-Crc32", "AAAAAA==")
		for name := range header {
			w.Header().Set(name, header.Get(name))
		}
		if w.Header().Get("Content-Range") == "" {
			_, _ = io.WriteString(w, content)
			return
		}
		w.WriteHeader(http.StatusPartialContent)
		_, _ = io.WriteString(w, content[6:])
	})
	s := open(t, f.URL)
	for _, c := range []struct {
		kind, extent, server, sum string
		composite                 bool
		want                      store.Range
	}{
		{"COMPOSITE", "bytes 6-9/10", "", "CRC32:AAAAAA==", true, store.Range{Off: 6, Len: 4, Part: 2}},
		{"", "bytes 6-9/10", "", "CRC32:AAAAAA==", false, store.Range{Off: 6, Len: 4, Part: 2}},
		{"FULL_OBJECT", "bytes 6-9/10", "", "", false, store.Range{Off: 6, Len: 4, Part: 2}},
		{"COMPOSITE", "bytes 6-9/10", "VERSITYGW", "", false, store.Range{Off: 6, Len: 4, Part: 2}},
		{"", "", "", "CRC32:AAAAAA==", false, store.Range{Len: 10, Part: 2}}, // knows no parts
	} {
		header = http.Header{}
		for name, value := range map[string]string{"X-Amz-Checksum-Type": c.kind, "Content-Range": c.extent, "Server": c.server} {
			if value != "" {
				header.Set(name, value)
			}
		}
		body, o, err := s.Get(t.Context(), "k", store.Range{Part: 2}, store.Cond{IfMatch: `"e-2"`})
		if err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		got, err := io.ReadAll(body)
		if err != nil || string(got) != content[c.want.Off:] || o.Size != 10 || o.Part != c.want || o.Checksum != c.sum || o.Composite != c.composite {
			t.Errorf("%+v: %q, %v, %+v", c, got, err, o)
		}
		if err := body.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, r := range f.requests() {
		if r.URL.Query().Get("partNumber") != "2" || r.Header.Get("Range") != "" || r.Header.Get("X-Amz-Checksum-Mode") != "ENABLED" {
			t.Errorf("asked %s with %v", r.URL, r.Header)
		}
	}
}
