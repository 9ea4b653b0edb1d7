// Package kinesis sends tracking's events to a stream of Amazon Kinesis Data Streams, which AWS names as the successor of Amazon Pinpoint
// for what Amplify's `track: true` has recorded. One event is one record of JSON.
package kinesis

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"

	"github.com/s3levelfs/s3levelfs/internal/tracking"
)

// Config says where the stream is and who sends. Endpoint and CA bundle of the AWS configuration (AWS_ENDPOINT_URL_KINESIS) count.
type Config struct {
	Stream      string                  // name or ARN
	Region      string                  // "" = of the ARN, else the AWS chain's
	Profile     string                  // of the AWS chain
	Credentials aws.CredentialsProvider // nil = the AWS chain's; it needs kinesis:PutRecords
}

// sink sends to one stream.
type sink struct {
	client *kinesis.Client
	name   string // for messages
	arn    *string
	stream *string
}

// New sends no request. Its tries are not repeated by the SDK: tracking sends again what was not taken.
func New(ctx context.Context, cfg Config) (tracking.Sink, error) {
	name, arn, region := cfg.Stream, "", cfg.Region
	if parts := strings.Split(cfg.Stream, ":"); len(parts) == 6 { // arn:partition:kinesis:region:account:stream/name
		name, arn, region = strings.TrimPrefix(parts[5], "stream/"), cfg.Stream, parts[3]
	}
	opts := []func(*config.LoadOptions) error{config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} })}
	if region != "" {
		opts = append(opts, config.WithRegion(region))
	}
	if cfg.Profile != "" {
		opts = append(opts, config.WithSharedConfigProfile(cfg.Profile))
	}
	if cfg.Credentials != nil {
		opts = append(opts, config.WithCredentialsProvider(cfg.Credentials))
	}
	shared, err := config.LoadDefaultConfig(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("kinesis %s: %w", name, err)
	}
	if shared.Region == "" {
		return nil, fmt.Errorf("kinesis %s: in which region? give --region, AWS_REGION or the stream's ARN", name)
	}
	s := &sink{client: kinesis.NewFromConfig(shared), name: name}
	if arn != "" {
		s.arn = &arn
	} else {
		s.stream = &name
	}
	return s, nil
}

// Send is one PutRecords. Each record has a partition key of its own, so that the shards share the load; their order is that of the
// timestamps in them.
func (s *sink) Send(ctx context.Context, batch []tracking.Event) tracking.Outcome {
	in := &kinesis.PutRecordsInput{StreamName: s.stream, StreamARN: s.arn}
	for _, e := range batch {
		text, err := json.Marshal(e)
		if err != nil {
			return tracking.Outcome{Refused: len(batch), Err: err}
		}
		in.Records = append(in.Records, types.PutRecordsRequestEntry{Data: text, PartitionKey: aws.String(rand.Text())})
	}
	out, err := s.client.PutRecords(ctx, in)
	if err != nil {
		return s.refused(batch, err)
	}
	if len(out.Records) != len(batch) {
		return tracking.Outcome{Refused: len(batch), Err: fmt.Errorf("kinesis %s: an answer of %d records to %d", s.name, len(out.Records), len(batch))}
	}
	return s.judge(batch, out.Records)
}

// refused judges the failure of a whole request: what the next one may not meet is sent again.
func (s *sink) refused(batch []tracking.Event, err error) tracking.Outcome {
	api, answered := errors.AsType[smithy.APIError](err)
	if !answered {
		return tracking.Outcome{Again: batch, Err: fmt.Errorf("kinesis %s: %w", s.name, cause(err))}
	}
	o := tracking.Outcome{Err: fmt.Errorf("kinesis %s: %s: %s", s.name, api.ErrorCode(), api.ErrorMessage())}
	if passing(api) || overloaded(err) {
		o.Again = batch
		return o
	}
	o.Refused = len(batch)
	return o
}

// cause is an error without the SDK's account of the operation.
func cause(err error) error {
	if op, ok := errors.AsType[*smithy.OperationError](err); ok {
		return op.Err
	}
	return err
}

// passing tells errors that pass by themselves: too much at once, an outage, credentials that are renewed. Source: Amazon Kinesis Data Streams,
// PutRecords, Errors; AWS SDK, retry.DefaultThrottleErrorCodes.
func passing(e smithy.APIError) bool {
	_, throttled := retry.DefaultThrottleErrorCodes[e.ErrorCode()]
	switch e.ErrorCode() {
	case "InternalFailure", "InternalFailureException", "KMSThrottlingException", "LimitExceededException", "ServiceUnavailable",
		"ExpiredToken", "ExpiredTokenException", "RequestExpired", "RequestTimeout":
		return true
	}
	return throttled || e.ErrorFault() == smithy.FaultServer
}

// overloaded tells by the status that an answer passes whose code says nothing, as those of what stands in front of the service.
func overloaded(err error) bool {
	answer, ok := errors.AsType[*awshttp.ResponseError](err)
	return ok && (answer.HTTPStatusCode() >= http.StatusInternalServerError || answer.HTTPStatusCode() == http.StatusTooManyRequests)
}

// judge sorts the records of an answer. Source: PutRecords, "Records that were unsuccessfully processed": both of its codes,
// ProvisionedThroughputExceededException and InternalFailure, pass.
func (s *sink) judge(batch []tracking.Event, results []types.PutRecordsResultEntry) tracking.Outcome {
	var o tracking.Outcome
	for i, r := range results {
		if r.ErrorCode == nil {
			continue
		}
		o.Err = fmt.Errorf("kinesis %s: %s", s.name, *r.ErrorCode)
		if passing(&smithy.GenericAPIError{Code: *r.ErrorCode}) {
			o.Again = append(o.Again, batch[i])
		} else {
			o.Refused++
		}
	}
	return o
}

// Close has nothing to end.
func (s *sink) Close() error { return nil }
