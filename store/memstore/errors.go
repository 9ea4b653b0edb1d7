package memstore

import (
	"net/http"

	"github.com/s3levelfs/s3levelfs/store"
)

// Codes of S3's error responses.
// Source: S3 API reference, "Error responses".
const (
	codeAccessDenied    = "AccessDenied"
	codeArchived        = "InvalidObjectState"
	codeEntityTooLarge  = "EntityTooLarge"
	codeEntityTooSmall  = "EntityTooSmall"
	codeInvalidArgument = "InvalidArgument"
	codeInvalidPart     = "InvalidPart"
	codeInvalidRange    = "InvalidRange"
	codeInvalidPartNo   = "InvalidPartNumber"
	codeInvalidRequest  = "InvalidRequest"
	codeKeyTooLong      = "KeyTooLongError"
	codeMalformedXML    = "MalformedXML"
	codeMetadataTooBig  = "MetadataTooLarge"
	codeNoSuchKey       = "NoSuchKey"
	codeNoSuchUpload    = "NoSuchUpload"
	codeNotImplemented  = "NotImplemented"
	codeNotModified     = "NotModified"
	codePartOrder       = "InvalidPartOrder"
	codePrecondition    = "PreconditionFailed"
	codeSlowDown        = "SlowDown"
	codeBadDigest       = "BadDigest"
)

// failure is the answer with an S3 error code. Op, Key and RequestID are filled
// in by Store.do.
func failure(code string) *store.Error {
	e := &store.Error{Code: code, Status: http.StatusBadRequest, Kind: store.ErrInvalid}
	switch code {
	case codeAccessDenied:
		e.Status, e.Kind = http.StatusForbidden, store.ErrPermission
	case codeArchived:
		e.Status, e.Kind = http.StatusForbidden, store.ErrArchived
	case codeInvalidRange, codeInvalidPartNo:
		e.Status = http.StatusRequestedRangeNotSatisfiable
	case codeNoSuchKey:
		e.Status, e.Kind = http.StatusNotFound, store.ErrNotExist
	case codeNoSuchUpload:
		e.Status, e.Kind = http.StatusNotFound, store.ErrNoUpload
	case codeNotImplemented:
		e.Status = http.StatusNotImplemented
	case codeNotModified:
		e.Status, e.Kind = http.StatusNotModified, store.ErrChanged
	case codePrecondition:
		e.Status, e.Kind = http.StatusPreconditionFailed, store.ErrChanged
	case codeBadDigest:
		e.Status, e.Kind = http.StatusBadRequest, store.ErrTransient
	case codeSlowDown:
		e.Status, e.Kind, e.Unanswered = http.StatusServiceUnavailable, store.ErrThrottled, true
	}
	return e
}

func accessDenied(cause error) *store.Error {
	e := failure(codeAccessDenied)
	e.Err = cause
	return e
}
