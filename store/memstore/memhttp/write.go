package memhttp

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
)

// headersOf are the headers of the object that a request makes.
func headersOf(r *http.Request) store.Headers {
	h := store.Headers{
		ContentType: r.Header.Get("Content-Type"), ContentEncoding: r.Header.Get("Content-Encoding"), CacheControl: r.Header.Get("Cache-Control"),
		ContentDisposition: r.Header.Get("Content-Disposition"), ContentLanguage: r.Header.Get("Content-Language"), Expires: r.Header.Get("Expires"),
		WebsiteRedirect: r.Header.Get("X-Amz-Website-Redirect-Location"), StorageClass: r.Header.Get("X-Amz-Storage-Class"),
		SSE: r.Header.Get("X-Amz-Server-Side-Encryption"), SSEKMSKeyID: r.Header.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"),
		BucketKey: r.Header.Get("X-Amz-Server-Side-Encryption-Bucket-Key-Enabled") == "true",
		Tags:      r.Header.Get("X-Amz-Tagging"), ACL: r.Header.Get("X-Amz-Acl"), Metadata: map[string]string{},
	}
	for name, values := range r.Header {
		if meta, ok := strings.CutPrefix(name, metaPrefix); ok {
			h.Metadata[strings.ToLower(meta)] = values[0]
		}
	}
	return h
}

// bodyOf reads a body. Those that are signed in pieces are not known.
func bodyOf(r *http.Request) (*io.SectionReader, error) {
	if strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		return nil, &store.Error{Code: "NotImplemented", Status: http.StatusNotImplemented}
	}
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	text := string(data)
	return io.NewSectionReader(strings.NewReader(text), 0, int64(len(text))), nil
}

// given is the request's context, with the checksum that came with its body.
func given(r *http.Request) context.Context {
	const size = 4
	sum, err := base64.StdEncoding.DecodeString(r.Header.Get("X-Amz-Checksum-Crc32"))
	if err != nil || len(sum) != size {
		return r.Context()
	}
	return store.WithCRC32(r.Context(), binary.BigEndian.Uint32(sum))
}

func (h *handler) put(w http.ResponseWriter, r *http.Request, key string) error {
	body, err := bodyOf(r)
	if err != nil {
		return err
	}
	got, err := h.store.Put(given(r), key, body, headersOf(r), cond(r))
	if err == nil {
		w.Header().Set("ETag", got.ETag)
	}
	return err
}

// source is what a request names as the source of a copy, bucket and key; "" = it is none.
func source(r *http.Request) string { return r.Header.Get("X-Amz-Copy-Source") }

// source is the key that a copy is of.
func (h *handler) source(r *http.Request) (string, error) {
	name, err := url.PathUnescape(source(r))
	key, ok := strings.CutPrefix("/"+strings.TrimPrefix(name, "/"), h.root+"/")
	if err != nil || !ok {
		return "", &store.Error{Code: "InvalidArgument", Status: http.StatusBadRequest}
	}
	return key, nil
}

// copied makes an object out of another one. Of its headers a copy keeps all or, by its directive, none; so with tags.
func (h *handler) copied(w http.ResponseWriter, r *http.Request, key string) error {
	from, err := h.source(r)
	if err != nil {
		return err
	}
	q := store.CopyRequest{Source: from, SourceETag: r.Header.Get("X-Amz-Copy-Source-If-Match"), Target: key, Cond: cond(r)}
	if r.Header.Get("X-Amz-Metadata-Directive") == "REPLACE" {
		headers := headersOf(r)
		if r.Header.Get("X-Amz-Tagging-Directive") == "REPLACE" && headers.Tags == "" {
			headers.Tags = store.NoTags
		}
		q.Headers = &headers
	}
	got, err := h.store.Copy(r.Context(), q)
	if err != nil {
		return err
	}
	return write(w, struct {
		XMLName            xml.Name `xml:"CopyObjectResult"`
		ETag, LastModified string
	}{ETag: got.ETag, LastModified: got.LastModified.UTC().Format(time.RFC3339Nano)})
}

// tags tells those of an object.
func (h *handler) tags(w http.ResponseWriter, r *http.Request, key string) error {
	o, err := h.store.Head(r.Context(), key, store.Cond{})
	if err != nil {
		return err
	}
	if o.TagsHidden {
		return &store.Error{Code: "AccessDenied", Status: http.StatusForbidden}
	}
	type tag struct{ Key, Value string }
	out := struct {
		XMLName xml.Name `xml:"Tagging"`
		TagSet  struct{ Tag []tag }
	}{}
	values, err := url.ParseQuery(o.Headers.Tags)
	for name := range values {
		out.TagSet.Tag = append(out.TagSet.Tag, tag{name, values.Get(name)})
	}
	if err != nil {
		return err
	}
	return write(w, out)
}
