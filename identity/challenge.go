package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	idp "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
)

// CodeKind is where a one-time code comes from.
type CodeKind string

// Where the codes of a second factor come from.
const (
	CodeSMS           CodeKind = "SMS"
	CodeEmail         CodeKind = "e-mail"
	CodeAuthenticator CodeKind = "authenticator app"
)

// Prompter answers what a sign-in asks after the password. An error of it ends the sign-in.
type Prompter interface {
	// NewPassword asks for the password that replaces a temporary one, and for the attributes that the user pool wants
	// with it (names such as "name", "phone_number"; often none).
	NewPassword(ctx context.Context, attributes []string) (Secret, map[string]string, error)
	// Code asks for a one-time code; where it was sent to is masked by Cognito and may be "". again: the last was wrong.
	Code(ctx context.Context, kind CodeKind, sentTo string, again bool) (Secret, error)
	// Choose asks which of the kinds of second factor to use.
	Choose(ctx context.Context, kinds []CodeKind) (CodeKind, error)
}

const (
	maxChallenges = 10 // of one sign-in: no pool asks so much
	maxCodes      = 3  // wrong codes before the sign-in ends
)

// challenge is what the user pool asks.
type challenge struct {
	name    types.ChallengeNameType
	params  map[string]string
	session *string
}

// challenges answers until there are tokens.
func (s *signIn) challenges(ctx context.Context, ch challenge, result *types.AuthenticationResultType) (*types.AuthenticationResultType, error) {
	for range maxChallenges {
		if result != nil {
			return result, nil
		}
		if id := ch.params["USER_ID_FOR_SRP"]; id != "" {
			s.user = id
		}
		out, err := s.answer(ctx, ch)
		if err != nil {
			return nil, err
		}
		ch, result = challenge{out.ChallengeName, out.ChallengeParameters, out.Session}, out.AuthenticationResult
	}
	return nil, &Error{Op: "sign in", Kind: ErrRefused, Mend: fmt.Sprintf("the user pool has asked %d things and is not content", maxChallenges)}
}

// respond sends an answer and goes on with what follows.
func (s *signIn) respond(ctx context.Context, ch challenge, with map[string]string) (*types.AuthenticationResultType, error) {
	out, err := s.send(ctx, ch, with)
	if err != nil {
		return nil, failed("sign in", err)
	}
	return s.challenges(ctx, challenge{out.ChallengeName, out.ChallengeParameters, out.Session}, out.AuthenticationResult)
}

// send gives the SDK's error, for whose code the caller may have an answer.
func (s *signIn) send(ctx context.Context, ch challenge, with map[string]string) (*idp.RespondToAuthChallengeOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	with["USERNAME"] = s.user
	s.pool.addSecretHash(with, s.user)
	return s.pool.client.RespondToAuthChallenge(ctx, &idp.RespondToAuthChallengeInput{
		ChallengeName: ch.name, ClientId: aws.String(s.pool.cfg.ClientID), Session: ch.session, ChallengeResponses: with,
	})
}

// answer answers one challenge.
func (s *signIn) answer(ctx context.Context, ch challenge) (*idp.RespondToAuthChallengeOutput, error) {
	switch ch.name {
	case types.ChallengeNameTypeSmsMfa:
		return s.code(ctx, ch, CodeSMS, "SMS_MFA_CODE")
	case types.ChallengeNameTypeSmsOtp:
		return s.code(ctx, ch, CodeSMS, "SMS_OTP_CODE")
	case types.ChallengeNameTypeEmailOtp:
		return s.code(ctx, ch, CodeEmail, "EMAIL_OTP_CODE")
	case types.ChallengeNameTypeSoftwareTokenMfa:
		return s.code(ctx, ch, CodeAuthenticator, "SOFTWARE_TOKEN_MFA_CODE")
	case types.ChallengeNameTypeSelectMfaType:
		return s.choose(ctx, ch)
	case types.ChallengeNameTypeNewPasswordRequired:
		return s.newPassword(ctx, ch)
	case types.ChallengeNameTypeMfaSetup:
		return nil, &Error{Op: "sign in", Kind: ErrRefused, Code: string(ch.name), Mend: "a second factor has to be set up first: do it in the app"}
	}
	return nil, &Error{Op: "sign in", Kind: ErrRefused, Code: string(ch.name), Mend: "the user pool asks for something that only the app can answer"}
}

// code asks for a one-time code, again while it is wrong.
func (s *signIn) code(ctx context.Context, ch challenge, kind CodeKind, field string) (*idp.RespondToAuthChallengeOutput, error) {
	var err error
	for i := range maxCodes {
		code, askErr := s.ask.Code(ctx, kind, ch.params["CODE_DELIVERY_DESTINATION"], i > 0)
		if askErr != nil {
			return nil, askErr
		}
		var out *idp.RespondToAuthChallengeOutput
		out, err = s.send(ctx, ch, map[string]string{field: strings.TrimSpace(code.Reveal())})
		if err == nil {
			return out, nil
		}
		if c := codeOf(err); c != "CodeMismatchException" && c != "EnableSoftwareTokenMFAException" {
			break
		}
	}
	return nil, failed("sign in", err)
}

// factors are Cognito's names of the second factors.
func factors() map[string]CodeKind {
	return map[string]CodeKind{"SMS_MFA": CodeSMS, "SOFTWARE_TOKEN_MFA": CodeAuthenticator, "EMAIL_OTP": CodeEmail}
}

func (s *signIn) choose(ctx context.Context, ch challenge) (*idp.RespondToAuthChallengeOutput, error) {
	var names []string
	if err := json.Unmarshal([]byte(ch.params["MFAS_CAN_CHOOSE"]), &names); err != nil {
		return nil, errors.New("sign in: the user pool does not say which second factors there are")
	}
	var kinds []CodeKind
	byKind := map[CodeKind]string{}
	for _, n := range names {
		if k, ok := factors()[n]; ok {
			kinds, byKind[k] = append(kinds, k), n
		}
	}
	kind, err := s.ask.Choose(ctx, kinds)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(kinds, kind) {
		return nil, fmt.Errorf("sign in: %q is not one of the second factors of this account", kind)
	}
	out, err := s.send(ctx, ch, map[string]string{"ANSWER": byKind[kind]})
	return out, failed("sign in", err)
}

// attributePrefix marks the attributes of a user in the parameters of NEW_PASSWORD_REQUIRED.
const attributePrefix = "userAttributes."

func (s *signIn) newPassword(ctx context.Context, ch challenge) (*idp.RespondToAuthChallengeOutput, error) {
	var required []string
	if text := ch.params["requiredAttributes"]; text != "" {
		if err := json.Unmarshal([]byte(text), &required); err != nil {
			return nil, errors.New("sign in: the user pool does not say which attributes it requires")
		}
	}
	for i, r := range required {
		required[i] = strings.TrimPrefix(r, attributePrefix)
	}
	password, attributes, err := s.ask.NewPassword(ctx, required)
	if err != nil {
		return nil, err
	}
	with := map[string]string{"NEW_PASSWORD": password.Reveal()}
	for name, value := range attributes {
		with[attributePrefix+name] = value
	}
	out, err := s.send(ctx, ch, with)
	return out, failed("sign in", err)
}
