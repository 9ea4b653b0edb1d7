package rig

import (
	"fmt"
	"net/http"
	"net/url"
	"time"
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

	Begun, Ended time.Time // at the proxy
}

// requestOf is a request of which the answer is not known yet.
func requestOf(r *http.Request) Request {
	return Request{
		Method: r.Method, Path: r.URL.Path, Query: r.URL.Query(), Bytes: max(r.ContentLength, 0),
		Source: r.Header.Get("X-Amz-Copy-Source"), Begun: time.Now(),
	}
}

// String is for the messages of tests.
func (r Request) String() string {
	const clock = "04:05.000"
	return fmt.Sprintf("%s to %s: %s %s from %q %v: %d", r.Begun.Format(clock), r.Ended.Format(clock), r.Op(), r.Path, r.Source, r.Query, r.Status)
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
