package identity

import (
	"errors"
	"fmt"

	"github.com/aws/smithy-go"
)

// Kinds of failure, found by errors.Is.
var (
	// ErrLoginNeeded: nobody is signed in, or the sign-in has ended (expired, revoked, signed out). A new login mends it.
	ErrLoginNeeded = errors.New("login needed: run `s3levelfs login`")
	// ErrOtherIdentity: who is signed in now is not whom a [Source] was made for. Its credentials are never given out.
	ErrOtherIdentity = errors.New("somebody else is signed in")
	// ErrUnreachable: Cognito did not answer, or asked to slow down to the end. Later it may.
	ErrUnreachable = errors.New("the sign-in service can not be reached")
	// ErrRefused: the answer was no, and asking again does not help without the change that the text names.
	ErrRefused = errors.New("the sign-in was refused")
)

// Error is a failed request to Cognito. Its text is one line, names the mend, and never has a secret in it: of what
// Cognito says only the code is repeated.
type Error struct {
	Op   string // such as "sign in", "refresh", "credentials"
	Code string // Cognito's exception, "" when no answer came
	Mend string // what to do, "" when the kind says it all
	Kind error  // one of the kinds above, never nil
	Err  error  // cause of a request without an answer; nil otherwise
}

// Error implements error.
func (e *Error) Error() string {
	text := e.Op + ": " + e.Kind.Error()
	if e.Mend != "" {
		text += ": " + e.Mend
	}
	switch {
	case e.Code != "":
		text += " (" + e.Code + ")"
	case e.Err != nil:
		text += fmt.Sprintf(" (%v)", e.Err)
	}
	return text
}

// Unwrap makes errors.Is find the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

// mendOf is what to do about Cognito's exceptions. Source: Cognito user pools API reference, InitiateAuth and
// RespondToAuthChallenge, errors; identity pools API reference, GetId and GetCredentialsForIdentity, errors.
func mendOf(code string) string {
	switch code {
	case "NotAuthorizedException":
		return "check user name and password"
	case "UserNotFoundException":
		return "check the user name, and that it is the user pool of the app"
	case "UserNotConfirmedException":
		return "the account is not confirmed yet: confirm it in the app with the code that was sent"
	case "PasswordResetRequiredException":
		return "the password has to be reset: do it in the app, then sign in with the new one"
	case "CodeMismatchException":
		return "the code is wrong: sign in again with the newest one"
	case "ExpiredCodeException":
		return "the code has expired: sign in again for a new one"
	case "EnableSoftwareTokenMFAException":
		return "the code is wrong: check the authenticator's account and this machine's clock"
	case "InvalidPasswordException", "PasswordHistoryPolicyViolationException":
		return "the new password does not fulfil the user pool's rules: choose another"
	case "InvalidParameterException":
		return "the app client does not allow this way to sign in: try the other --auth-flow, or enable it"
	case "ResourceNotFoundException":
		return "there is no such pool or client: check --user-pool-id, --client-id and --identity-pool-id"
	case "InvalidIdentityPoolConfigurationException":
		return "the identity pool has no role for this: set its authenticated and guest roles"
	case "TooManyFailedAttemptsException", "LimitExceededException":
		return "too many attempts: wait a while, then try again"
	}
	return "Cognito says why by its code"
}

// throttled are the answers that ask to come back later; the SDK has repeated the request already.
func throttled(code string) bool {
	switch code {
	case "TooManyRequestsException", "ThrottlingException", "Throttling", "InternalErrorException", "InternalServerException",
		"InternalFailure", "ServiceUnavailable", "ServiceUnavailableException":
		return true
	}
	return false
}

// codeOf is Cognito's exception, "" when no answer came.
func codeOf(err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	return ""
}

// failed is the one place where an error of the SDK becomes an [*Error].
func failed(op string, err error) error {
	if err == nil {
		return nil
	}
	code := codeOf(err)
	switch {
	case code == "":
		return &Error{Op: op, Kind: ErrUnreachable, Mend: "check the network and the endpoint", Err: innermost(err)}
	case throttled(code):
		return &Error{Op: op, Code: code, Kind: ErrUnreachable, Mend: "it is busy: try again in a while"}
	}
	mend := mendOf(code)
	return &Error{Op: op, Code: code, Kind: ErrRefused, Mend: mend}
}

// ended: what a refresh token that is good no longer answers.
func ended(code string) bool {
	switch code {
	case "NotAuthorizedException", "RefreshTokenReuseException", "UserNotFoundException", "UserNotConfirmedException",
		"PasswordResetRequiredException":
		return true
	}
	return false
}

// innermost strips the SDK's wrappers, which repeat operation and URL.
func innermost(err error) error {
	if e, ok := errors.AsType[*smithy.OperationError](err); ok {
		return e.Err
	}
	return err
}
