package memhttp

import (
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/s3levelfs/s3levelfs/store"
)

// parted answers a request of an upload in parts.
func (h *handler) parted(w http.ResponseWriter, r *http.Request, key string, query url.Values) error {
	id := query.Get("uploadId")
	switch {
	case r.Method == http.MethodPost && query.Has("uploads"):
		return h.create(w, r, key)
	case r.Method == http.MethodPut && source(r) != "":
		return h.copyPart(w, r, key, id)
	case r.Method == http.MethodPut:
		return h.uploadPart(w, r, key, id)
	case r.Method == http.MethodPost:
		return h.complete(w, r, key, id)
	case r.Method == http.MethodDelete:
		err := h.store.Abort(r.Context(), key, id)
		if err == nil {
			w.WriteHeader(http.StatusNoContent)
		}
		return err
	case r.Method == http.MethodGet && id != "":
		return h.listParts(w, key, id)
	}
	return &store.Error{Code: "NotImplemented", Status: http.StatusNotImplemented}
}

func (h *handler) create(w http.ResponseWriter, r *http.Request, key string) error {
	id, err := h.store.Create(r.Context(), key, headersOf(r))
	if err != nil {
		return err
	}
	return write(w, struct {
		XMLName               xml.Name `xml:"InitiateMultipartUploadResult"`
		Bucket, Key, UploadId string
	}{Bucket: strings.TrimPrefix(h.root, "/"), Key: key, UploadId: id})
}

// number is that of the part that a request is of.
func number(r *http.Request) (int32, error) {
	n, err := strconv.ParseInt(r.URL.Query().Get("partNumber"), 10, 32)
	if err != nil || n < 1 {
		return 0, &store.Error{Code: "InvalidArgument", Status: http.StatusBadRequest}
	}
	return int32(n), nil
}

func (h *handler) uploadPart(w http.ResponseWriter, r *http.Request, key, id string) error {
	n, err := number(r)
	if err != nil {
		return err
	}
	body, err := bodyOf(r)
	if err != nil {
		return err
	}
	p, err := h.store.UploadPart(given(r), key, id, n, body)
	if err == nil {
		w.Header().Set("ETag", p.ETag)
		w.Header().Set("X-Amz-Checksum-Crc32", p.Checksum)
	}
	return err
}

func (h *handler) copyPart(w http.ResponseWriter, r *http.Request, key, id string) error {
	n, err := number(r)
	if err != nil {
		return err
	}
	span := store.All
	if text := r.Header.Get("X-Amz-Copy-Source-Range"); text != "" {
		var last int64
		if _, err := fmt.Sscanf(text, "bytes=%d-%d", &span.Off, &last); err != nil {
			return &store.Error{Code: "InvalidArgument", Status: http.StatusBadRequest}
		}
		span.Len = last - span.Off + 1
	}
	from, err := h.source(r)
	if err != nil {
		return err
	}
	p, err := h.store.CopyPart(r.Context(), key, id, n, from, r.Header.Get("X-Amz-Copy-Source-If-Match"), span)
	if err != nil {
		return err
	}
	return write(w, struct {
		XMLName             xml.Name `xml:"CopyPartResult"`
		ETag, ChecksumCRC32 string
	}{ETag: p.ETag, ChecksumCRC32: p.Checksum})
}

func (h *handler) complete(w http.ResponseWriter, r *http.Request, key, id string) error {
	var in struct {
		Part []struct {
			ETag       string
			PartNumber int32
		}
	}
	if err := xml.NewDecoder(r.Body).Decode(&in); err != nil && err != io.EOF { //nolint:errorlint // as Decode returns it
		return &store.Error{Code: "MalformedXML", Status: http.StatusBadRequest}
	}
	parts := make([]store.Part, len(in.Part))
	for i, p := range in.Part {
		parts[i] = store.Part{Number: p.PartNumber, ETag: p.ETag}
	}
	res, err := h.store.Complete(r.Context(), key, id, parts, cond(r))
	if err != nil {
		return err
	}
	return write(w, struct {
		XMLName           xml.Name `xml:"CompleteMultipartUploadResult"`
		Bucket, Key, ETag string
	}{Bucket: strings.TrimPrefix(h.root, "/"), Key: key, ETag: res.ETag})
}

// listParts tells what an upload holds, in one page.
func (h *handler) listParts(w http.ResponseWriter, key, id string) error {
	if h.store.Uploads()[id] != key {
		return &store.Error{Code: "NoSuchUpload", Status: http.StatusNotFound}
	}
	type listedPart struct {
		PartNumber int32
		Size       int
	}
	parts := h.store.PartsOf(id)
	out := struct {
		XMLName               xml.Name `xml:"ListPartsResult"`
		Bucket, Key, UploadId string
		IsTruncated           bool
		Part                  []listedPart
	}{Bucket: strings.TrimPrefix(h.root, "/"), Key: key, UploadId: id}
	for _, n := range slices.Sorted(maps.Keys(parts)) {
		out.Part = append(out.Part, listedPart{n, len(parts[n])})
	}
	return write(w, out)
}
