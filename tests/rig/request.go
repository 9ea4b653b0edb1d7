package rig

import (
	"net/http"
	"net/url"
)

// Request is one request that passed a [Proxy].
type Request struct {
	Method string
	Path   string // with the bucket
	Query  url.Values
	Status int    // as the client was told; 200 where the connection was cut
	Bytes  int64  // of the request's body, as announced
	Sent   int64  // of the answer's body
	Source string // of a copy
}

// requestOf is a request of which the answer is not known yet.
func requestOf(r *http.Request) Request {
	return Request{
		Method: r.Method, Path: r.URL.Path, Query: r.URL.Query(), Bytes: max(r.ContentLength, 0),
		Source: r.Header.Get("X-Amz-Copy-Source"),
	}
}

// Op is S3's name of the request.
func (r Request) Op() string {
	part, copied := r.Query.Has("partNumber"), r.Source != ""
	switch r.Method {
	case http.MethodHead:
		return "HeadObject"
	case http.MethodGet:
		if r.Query.Has("list-type") {
			return "ListObjectsV2"
		}
		return "GetObject"
	case http.MethodPut:
		switch {
		case part && copied:
			return "UploadPartCopy"
		case part:
			return "UploadPart"
		case copied:
			return "CopyObject"
		}
		return "PutObject"
	case http.MethodDelete:
		if r.Query.Has("uploadId") {
			return "AbortMultipartUpload"
		}
		return "DeleteObject"
	}
	switch {
	case r.Query.Has("uploads"):
		return "CreateMultipartUpload"
	case r.Query.Has("uploadId"):
		return "CompleteMultipartUpload"
	}
	return "DeleteObjects"
}
