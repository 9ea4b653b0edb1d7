package s3store

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/s3levelfs/s3levelfs/store"
)

// credentialsError marks a failure to have credentials at all.
type credentialsError struct{ err error }

func (e *credentialsError) Error() string { return "no usable credentials: " + e.err.Error() }
func (e *credentialsError) Unwrap() error { return e.err }

// namedCredentials marks the failures of a provider.
type namedCredentials struct{ aws.CredentialsProvider }

// Retrieve implements [aws.CredentialsProvider].
func (n namedCredentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	if n.CredentialsProvider == nil {
		return aws.Credentials{}, &credentialsError{errors.New("none are configured")}
	}
	c, err := n.CredentialsProvider.Retrieve(ctx)
	if err != nil {
		return c, &credentialsError{err}
	}
	return c, nil
}

// fail is the one place where an error of the SDK becomes a [*store.Error].
func (c *call) fail(err error) error {
	if done, ok := errors.AsType[*store.Error](err); ok {
		return done
	}
	code, status, kind := kindOf(err)
	e := &store.Error{
		Op: c.op, Key: c.key, Code: code, Status: status, Kind: kind, Err: cause(err),
		Unanswered: c.sent.Load() && errors.Is(kind, store.ErrTransient) && (status == 0 || status >= 500),
	}
	if resp, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		e.RequestID = resp.ServiceRequestID()
		e.RetryAfter = retryAfter(resp.Response.Header.Get("Retry-After"))
	}
	if status == 0 && c.parent.Err() != nil {
		e.Err = context.Cause(c.parent)
	}
	c.explain(e)
	return e
}

// retryAfter reads the header of that name: seconds, or a date. What is over, not to be understood, or further away than a
// server that means it would say, is 0. Source: RFC 9110, section 10.2.3.
func retryAfter(header string) time.Duration {
	const most = 24 * time.Hour
	d := time.Duration(0)
	if n, err := strconv.ParseInt(header, 10, 32); err == nil {
		d = time.Duration(n) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		d = time.Until(at)
	}
	if d < 0 || d > most {
		return 0
	}
	return d
}

// cause strips the SDK's wrappers, which repeat operation, request id and URL.
func cause(err error) error {
	if e, ok := errors.AsType[*credentialsError](err); ok {
		return e
	}
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		if m := e.ErrorMessage(); m != "" {
			return errors.New(m)
		}
		return nil
	}
	if e, ok := errors.AsType[*smithy.OperationError](err); ok {
		err = e.Err
	}
	if e, ok := errors.AsType[*smithyhttp.RequestSendError](err); ok {
		return e.Err
	}
	return err
}

// kindOf finds the kind of an SDK error, with the S3 code and the HTTP status of
// the answer if there was one.
func kindOf(err error) (code string, status int, kind error) {
	if e, ok := errors.AsType[*credentialsError](err); ok {
		if errors.Is(e, store.ErrTransient) || errors.Is(e, context.Canceled) || errors.Is(e, context.DeadlineExceeded) {
			return "", 0, store.ErrTransient // there may be some in a while: nothing is wrong with them
		}
		return "", 0, store.ErrCredentials
	}
	if errors.Is(err, errNotEncrypted) {
		return "", 0, store.ErrPermission
	}
	if e, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		status = e.HTTPStatusCode()
	}
	code = errorCode(err)
	if kind := kindOfCode(code); kind != nil {
		return code, status, kind
	}
	if status >= 300 {
		return code, status, kindOfStatus(status)
	}
	if _, ok := errors.AsType[*smithy.SerializationError](err); ok {
		return "", 0, store.ErrInvalid // never sent
	}
	return "", 0, store.ErrTransient // no answer, or one of which only a part came
}

func errorCode(err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	return ""
}

// kindOfCode knows the codes that their status alone would misjudge.
// Source: S3 API reference, "Error responses".
func kindOfCode(code string) error {
	switch code {
	case "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired":
		return store.ErrExpired
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidSecurity",
		"NotSignedUp", "MissingSecurityHeader":
		return store.ErrCredentials
	case "RequestTimeTooSkewed":
		return store.ErrClockSkew
	case "InvalidObjectState":
		return store.ErrArchived
	case "AccessDenied":
		return store.ErrPermission
	case "NoSuchKey":
		return store.ErrNotExist
	case "NoSuchBucket":
		return store.ErrNoBucket
	case "NoSuchUpload":
		return store.ErrNoUpload
	case "ConditionalRequestConflict", "PreconditionFailed":
		return store.ErrChanged
	case "SlowDown", "Throttling", "ThrottlingException", "RequestThrottled", "RequestLimitExceeded",
		"TooManyRequestsException", "BandwidthLimitExceeded", "ServiceUnavailable":
		return store.ErrThrottled
	case "RequestTimeout", "OperationAborted", "InternalError",
		"BadDigest", "IncompleteBody", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch":
		return store.ErrTransient
	}
	return nil
}

func kindOfStatus(status int) error {
	switch status {
	case http.StatusNotFound:
		return store.ErrNotExist
	case http.StatusForbidden:
		return store.ErrPermission
	case http.StatusUnauthorized:
		return store.ErrCredentials
	case http.StatusPreconditionFailed, http.StatusNotModified:
		return store.ErrChanged
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		return store.ErrThrottled
	case http.StatusRequestTimeout, http.StatusTemporaryRedirect:
		return store.ErrTransient
	case http.StatusNotImplemented:
		return store.ErrInvalid
	}
	if status >= 500 {
		return store.ErrTransient
	}
	return store.ErrInvalid
}
