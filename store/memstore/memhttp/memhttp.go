// Package memhttp serves a memstore as an S3 endpoint, path style, for tests: what a file-based server can not show (any key, the order
// of bytes, a million keys in one directory) it does. Signatures are not looked at: listen on the loopback only.
//
// It knows ListObjectsV2, GET (also by partNumber), HEAD, PUT, COPY, DELETE and DeleteObjects, uploads in parts, with ListParts, and the conditions of
// all of them, checksums by CRC-32 and the tags of objects (GetObjectTagging, x-amz-tagging). Everything else is NotImplemented.
package memhttp

import (
	"cmp"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/memstore"
)

const metaPrefix = "X-Amz-Meta-"

// Handler serves s as the bucket of a name.
func Handler(bucket string, s *memstore.Store) http.Handler { return &handler{"/" + bucket, s} }

type handler struct {
	root  string
	store *memstore.Store
}

// ServeHTTP answers one request.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key, in := strings.CutPrefix(r.URL.Path, h.root)
	key = strings.TrimPrefix(key, "/")
	query := r.URL.Query()
	var err error
	switch {
	case !in:
		err = &store.Error{Code: "NoSuchBucket", Status: http.StatusNotFound}
	case query.Has("uploads"), query.Has("uploadId"):
		err = h.parted(w, r, key, query)
	case query.Has("tagging") && r.Method == http.MethodGet:
		err = h.tags(w, r, key)
	case source(r) != "" && r.Method == http.MethodPut:
		err = h.copied(w, r, key)
	case key == "" && r.Method == http.MethodGet:
		err = h.list(w, r, query)
	case key == "" && r.Method == http.MethodPost && query.Has("delete"):
		err = h.deleteMany(w, r)
	case r.Method == http.MethodGet:
		err = h.get(w, r, key)
	case r.Method == http.MethodHead:
		var o store.Object
		if o, err = h.store.Head(r.Context(), key, cond(r)); err == nil {
			describe(w, o, o.Size)
			vouch(w, r, o)
		}
	case r.Method == http.MethodPut:
		err = h.put(w, r, key)
	case r.Method == http.MethodDelete:
		if err = h.store.Delete(r.Context(), key, cond(r)); err == nil {
			w.WriteHeader(http.StatusNoContent)
		}
	default:
		err = &store.Error{Code: "MethodNotAllowed", Status: http.StatusMethodNotAllowed}
	}
	if err != nil {
		refuse(w, r, err)
	}
}

// refuse answers with S3's error document.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	e := &store.Error{Code: "InternalError", Status: http.StatusInternalServerError}
	errors.As(err, &e)
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("X-Amz-Request-Id", cmp.Or(e.RequestID, "MEMHTTP"))
	w.WriteHeader(cmp.Or(e.Status, http.StatusInternalServerError)) // none: the client has gone meanwhile
	if r.Method != http.MethodHead {
		_ = xml.NewEncoder(w).Encode(struct {
			XMLName xml.Name `xml:"Error"`
			Code    string
			Message string
		}{Code: e.Code, Message: err.Error()})
	}
}

func cond(r *http.Request) store.Cond {
	c := store.Cond{IfMatch: r.Header.Get("If-Match"), IfNoneMatch: r.Header.Get("If-None-Match") == "*"}
	c.IfUnmodifiedSince, _ = http.ParseTime(r.Header.Get("If-Unmodified-Since"))
	return c
}

// describe writes the headers of an object, of which so many bytes follow.
func describe(w http.ResponseWriter, o store.Object, length int64) {
	h := w.Header()
	h.Set("ETag", o.ETag)
	h.Set("Last-Modified", o.LastModified.UTC().Format(http.TimeFormat))
	h.Set("Content-Length", strconv.FormatInt(length, 10))
	h.Set("Accept-Ranges", "bytes")
	if o.Headers == nil {
		return
	}
	for name, value := range map[string]string{
		"Content-Type": o.Headers.ContentType, "Content-Encoding": o.Headers.ContentEncoding, "Cache-Control": o.Headers.CacheControl,
		"Content-Disposition": o.Headers.ContentDisposition, "Content-Language": o.Headers.ContentLanguage, "Expires": o.Headers.Expires,
		"X-Amz-Website-Redirect-Location": o.Headers.WebsiteRedirect, "X-Amz-Storage-Class": o.Headers.StorageClass,
		"X-Amz-Server-Side-Encryption": o.Headers.SSE, "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": o.Headers.SSEKMSKeyID,
		"X-Amz-Tagging-Count": tagCount(o),
	} {
		if value != "" {
			h.Set(name, value)
		}
	}
	if o.Headers.BucketKey {
		h.Set("X-Amz-Server-Side-Encryption-Bucket-Key-Enabled", "true")
	}
	for name, value := range o.Headers.Metadata {
		h.Set(metaPrefix+name, value)
	}
}

// tagCount is how many tags an object has; "" = none. Of hidden ones nobody knows more than that there are some.
func tagCount(o store.Object) string {
	switch {
	case o.TagsHidden:
		return "1"
	case o.Headers.Tags == "":
		return ""
	}
	return strconv.Itoa(strings.Count(o.Headers.Tags, "&") + 1)
}

// vouch tells the checksum of what is sent, to who asks for it. That of an object in parts is one of checksums.
func vouch(w http.ResponseWriter, r *http.Request, o store.Object) {
	if r.Header.Get("X-Amz-Checksum-Mode") != "ENABLED" {
		return
	}
	if sum, ok := strings.CutPrefix(o.Checksum, "CRC32:"); ok {
		w.Header().Set("X-Amz-Checksum-Crc32", sum)
	}
	if o.Composite {
		w.Header().Set("X-Amz-Checksum-Type", "COMPOSITE")
	}
	if o.Part.Part > 0 {
		w.Header().Set("X-Amz-Mp-Parts-Count", strconv.Itoa(o.Parts))
	}
}

func (h *handler) get(w http.ResponseWriter, r *http.Request, key string) error {
	span, partial := store.All, false
	if text, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok {
		from, to, _ := strings.Cut(text, "-")
		off, err := strconv.ParseInt(from, 10, 64)
		if err != nil {
			return &store.Error{Code: "InvalidRange", Status: http.StatusRequestedRangeNotSatisfiable}
		}
		span, partial = store.Range{Off: off, Len: -1}, true
		if end, err := strconv.ParseInt(to, 10, 64); err == nil {
			span.Len = end - off + 1
		}
	}
	if text := r.URL.Query().Get("partNumber"); text != "" {
		number, err := strconv.ParseInt(text, 10, 32)
		if err != nil || number < 1 {
			return &store.Error{Code: "InvalidArgument", Status: http.StatusBadRequest}
		}
		span = store.Range{Part: int32(number)}
	}
	body, o, err := h.store.Get(r.Context(), key, span, cond(r))
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	if span.Part > 0 {
		span, partial = o.Part, o.Size > 0
	}
	length := o.Size - span.Off
	if span.Len >= 0 {
		length = min(length, span.Len)
	}
	if partial && length <= 0 {
		return &store.Error{Code: "InvalidRange", Status: http.StatusRequestedRangeNotSatisfiable}
	}
	describe(w, o, length)
	if span == store.All || span.Part > 0 {
		vouch(w, r, o)
	}
	if partial {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", span.Off, span.Off+length-1, o.Size))
		w.WriteHeader(http.StatusPartialContent)
	}
	_, _ = io.Copy(w, body) // who has gone away has no use for the error
	return nil
}

func (h *handler) deleteMany(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Object []struct{ Key string }
	}
	if err := xml.NewDecoder(r.Body).Decode(&in); err != nil {
		return &store.Error{Code: "MalformedXML", Status: http.StatusBadRequest}
	}
	keys := make([]string, len(in.Object))
	for i := range keys {
		keys[i] = in.Object[i].Key
	}
	failed, err := h.store.DeleteMany(r.Context(), keys)
	if err != nil {
		return err
	}
	type keyError struct{ Key, Code, Message string }
	out := struct {
		XMLName xml.Name `xml:"DeleteResult"`
		Error   []keyError
	}{}
	for _, f := range failed {
		out.Error = append(out.Error, keyError{f.Key, f.Err.Code, f.Err.Error()})
	}
	return write(w, out)
}

func write(w http.ResponseWriter, document any) error {
	w.Header().Set("Content-Type", "application/xml")
	return xml.NewEncoder(w).Encode(document)
}

type listed struct {
	Key          string
	LastModified string
	ETag         string
	Size         int64
	StorageClass string `xml:",omitempty"`
}

type common struct{ Prefix string }

type listing struct {
	XMLName               xml.Name `xml:"ListBucketResult"`
	IsTruncated           bool
	KeyCount              int
	EncodingType          string `xml:",omitempty"`
	NextContinuationToken string `xml:",omitempty"`
	Contents              []listed
	CommonPrefixes        []common
}

// behindPrefix is greater than all that follows a common prefix: no UTF-8 has this byte.
const behindPrefix = "\xff"

func (h *handler) list(w http.ResponseWriter, r *http.Request, query url.Values) error {
	o := store.ListOptions{Delimiter: query.Get("delimiter"), StartAfter: query.Get("start-after")}
	if !utf8.ValidString(o.StartAfter) { // as S3 has its parameters
		return &store.Error{Code: "InvalidArgument", Status: http.StatusBadRequest}
	}
	o.PageSize, _ = strconv.Atoi(query.Get("max-keys"))
	if token := query.Get("continuation-token"); token != "" {
		after, err := base64.URLEncoding.DecodeString(token)
		if err != nil {
			return &store.Error{Code: "InvalidArgument", Status: http.StatusBadRequest}
		}
		o.StartAfter = string(after)
	}
	encode := func(s string) string { return s }
	out := listing{EncodingType: query.Get("encoding-type")}
	if out.EncodingType == "url" {
		encode = url.QueryEscape
	}
	for page, err := range h.store.List(r.Context(), query.Get("prefix"), o) {
		if err != nil {
			return err
		}
		last := ""
		for i := range page.Objects {
			f := &page.Objects[i]
			out.Contents = append(out.Contents, listed{encode(f.Key), f.LastModified.UTC().Format(time.RFC3339Nano), f.ETag, f.Size, f.StorageClass})
			last = f.Key
		}
		for _, p := range page.Prefixes {
			out.CommonPrefixes = append(out.CommonPrefixes, common{encode(p)})
			last = max(last, p+behindPrefix)
		}
		out.KeyCount = len(out.Contents) + len(out.CommonPrefixes)
		if out.IsTruncated = page.More; page.More {
			out.NextContinuationToken = base64.URLEncoding.EncodeToString([]byte(last))
		}
		break
	}
	return write(w, out)
}
