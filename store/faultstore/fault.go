package faultstore

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"syscall"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
)

// Fault is what happens to a call. Make one with the constructors of this
// package; the zero value lets the call pass.
type Fault struct {
	name   string
	answer *store.Error // nil: the call goes on
	stall  bool         // wait until the call's context ends or Release
	action func()       // run, then the call goes on

	applied bool // all of the above come after the call was applied

	body    bodyFault
	bodyOff int64                 // bytes of a body that come unharmed
	keys    func(key string) bool // of a DeleteMany that fail, each with answer
}

// bodyFault is what happens to the body of a Get.
type bodyFault uint8

const (
	bodyWhole bodyFault = iota
	bodyCut
	bodyStall
	bodyFlip
)

// String names the fault.
func (f Fault) String() string {
	name := f.name
	if name == "" {
		name = "pass"
	}
	if f.applied {
		name += " after it was applied"
	}
	return name
}

// Answer is an answer of the server: an S3 error code with its HTTP status.
// Nothing was applied, though a 5xx does not tell that to the caller.
func Answer(status int, code string, kind error) Fault {
	return Fault{
		name: fmt.Sprintf("%d %s", status, code),
		answer: &store.Error{
			Code: code, Status: status, Kind: kind, RequestID: "FAULT",
			Unanswered: errors.Is(kind, store.ErrTransient) && status >= http.StatusInternalServerError,
		},
	}
}

// SlowDown is S3's throttling.
func SlowDown() Fault {
	return Answer(http.StatusServiceUnavailable, "SlowDown", store.ErrThrottled)
}

// RetryAfter is the same with the time that the server asks to wait.
func RetryAfter(d time.Duration) Fault {
	f := SlowDown()
	f.name += ", retry after " + d.String()
	f.answer.RetryAfter = d
	return f
}

// InternalError is S3's own failure.
func InternalError() Fault {
	return Answer(http.StatusInternalServerError, "InternalError", store.ErrTransient)
}

// Denied is a missing right.
func Denied() Fault { return Answer(http.StatusForbidden, "AccessDenied", store.ErrPermission) }

// Precondition is a condition that does not hold.
func Precondition() Fault {
	return Answer(http.StatusPreconditionFailed, "PreconditionFailed", store.ErrChanged)
}

// Conflict is a conditional write that met another one.
func Conflict() Fault {
	return Answer(http.StatusConflict, "ConditionalRequestConflict", store.ErrChanged)
}

// NotFound is an absent key.
func NotFound() Fault { return Answer(http.StatusNotFound, "NoSuchKey", store.ErrNotExist) }

// NoUpload is a multipart upload that was dropped.
func NoUpload() Fault { return Answer(http.StatusNotFound, "NoSuchUpload", store.ErrNoUpload) }

// NoBucket is a bucket that does not exist.
func NoBucket() Fault { return Answer(http.StatusNotFound, "NoSuchBucket", store.ErrNoBucket) }

// Expired is a session token at its end.
func Expired() Fault { return Answer(http.StatusBadRequest, "ExpiredToken", store.ErrExpired) }

// BadCredentials is an access key that the server does not know.
func BadCredentials() Fault {
	return Answer(http.StatusForbidden, "InvalidAccessKeyId", store.ErrCredentials)
}

// Archived is an object that has to be restored first.
func Archived() Fault { return Answer(http.StatusForbidden, "InvalidObjectState", store.ErrArchived) }

// Invalid is a request that the server will never accept.
func Invalid() Fault { return Answer(http.StatusBadRequest, "InvalidRequest", store.ErrInvalid) }

// Reset is a connection that breaks while the request is sent: nothing was
// applied, but the caller can not know.
func Reset() Fault {
	return Fault{
		name:   "connection reset",
		answer: &store.Error{Kind: store.ErrTransient, Err: syscall.ECONNRESET, Unanswered: true},
	}
}

// Refused is a server that does not listen: nothing was sent.
func Refused() Fault {
	return Fault{
		name:   "connection refused",
		answer: &store.Error{Kind: store.ErrTransient, Err: syscall.ECONNREFUSED},
	}
}

// Stall is a server that does not answer. The call waits until its context ends,
// and fails with the context's cause, or until [Store.Release], and goes on.
func Stall() Fault { return Fault{name: "stall", stall: true} }

// Do runs action and lets the call pass: a foreign writer in the middle of things.
func Do(name string, action func()) Fault { return Fault{name: name, action: action} }

// Applied lets the call take effect before f happens. If the store itself
// refuses the call, that is the answer and f does not happen. An error of f on
// a write is Unanswered.
func Applied(f Fault) Fault {
	f.applied = true
	return f
}

// Lost is an answer that never arrives: applied, then the connection is reset.
func Lost() Fault { return Applied(Reset()) }

// Cut ends the body of a Get after n bytes with [io.ErrUnexpectedEOF]. A body
// of at most n bytes comes whole.
func Cut(n int64) Fault {
	return Fault{
		name: fmt.Sprintf("body cut after %d bytes", n), body: bodyCut, bodyOff: n,
		answer: &store.Error{Kind: store.ErrTransient, Err: io.ErrUnexpectedEOF},
	}
}

// StallBody lets n bytes of the body of a Get come, then nothing until the Get's
// context ends, or until [Store.Release].
func StallBody(n int64) Fault {
	return Fault{name: fmt.Sprintf("body stalls after %d bytes", n), body: bodyStall, bodyOff: n}
}

// Flip inverts a bit of the byte at offset n of the body of a Get.
func Flip(n int64) Fault {
	return Fault{name: fmt.Sprintf("bit flipped at byte %d of the body", n), body: bodyFlip, bodyOff: n}
}

// Keys lets those keys of a DeleteMany fail for which match is true, each with
// f's answer, while the others are deleted.
func Keys(name string, match func(key string) bool, f Fault) Fault {
	f.name = fmt.Sprintf("%s for keys %s", f.name, name)
	f.keys = match
	return f
}

// failure is f's answer to a call.
func (f Fault) failure(c Call) *store.Error {
	e := *f.answer
	e.Op, e.Key = c.Op, c.Key
	if f.applied && c.IsWrite() {
		e.Unanswered = true
	}
	return &e
}
