package s3store

import (
	"context"
	"net/http"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// errorStep is the SDK's step that looks for an error in the body of an answer of 200.
const errorStep = "S3:ProcessResponseFor200Error"

// errorInBody is that step for answers that have a body. Where there is none it would make a decoder of XML, with a buffer of 4 KiB, to find
// that out: an eighth of what a small upload allocates.
type errorInBody struct {
	middleware.DeserializeMiddleware
}

// skipNoBody puts errorInBody in the place of the SDK's step.
func skipNoBody(stack *middleware.Stack) error {
	step, ok := stack.Deserialize.Get(errorStep)
	if !ok {
		return nil
	}
	_, err := stack.Deserialize.Swap(errorStep, errorInBody{step})
	return err
}

// HandleDeserialize implements [middleware.DeserializeMiddleware].
func (s errorInBody) HandleDeserialize(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
	middleware.DeserializeOutput, middleware.Metadata, error,
) {
	out, m, err := next.HandleDeserialize(ctx, in)
	if resp, ok := out.RawResponse.(*smithyhttp.Response); ok && err == nil && resp.Body == http.NoBody {
		return out, m, nil
	}
	return s.DeserializeMiddleware.HandleDeserialize(ctx, in, answered{out, m, err})
}

// answered is a next step that has run.
type answered struct {
	out    middleware.DeserializeOutput
	answer middleware.Metadata
	err    error
}

// HandleDeserialize implements [middleware.DeserializeHandler].
func (a answered) HandleDeserialize(context.Context, middleware.DeserializeInput) (
	middleware.DeserializeOutput, middleware.Metadata, error,
) {
	return a.out, a.answer, a.err
}
