package s3store

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Lifecycle is a bucket's lifecycle configuration. It is opaque but for what we add: all rules of others stay as they are.
type Lifecycle struct {
	rules    []types.LifecycleRule
	smallest types.TransitionDefaultMinimumObjectSize // goes with the rules, in a header of its own
}

// Len is the number of rules.
func (l Lifecycle) Len() int { return len(l.rules) }

// AbortsAfter is after how many days uploads in parts that nobody ends are aborted, in the whole bucket; ok is false where they are not.
func (l Lifecycle) AbortsAfter() (days int, ok bool) {
	for _, r := range l.rules {
		if r.Status != types.ExpirationStatusEnabled || r.AbortIncompleteMultipartUpload == nil || !everywhere(r) {
			continue
		}
		if d := int(aws.ToInt32(r.AbortIncompleteMultipartUpload.DaysAfterInitiation)); !ok || d < days {
			days, ok = d, true
		}
	}
	return days, ok
}

// everywhere: the rule is for all keys. Filters by tag or size have no effect on uploads in parts, and S3 refuses them there.
func everywhere(r types.LifecycleRule) bool {
	if aws.ToString(r.Prefix) != "" { //nolint:staticcheck // rules of long ago have their prefix there
		return false
	}
	f := r.Filter
	return f == nil || f.And == nil && f.Tag == nil && f.ObjectSizeGreaterThan == nil && f.ObjectSizeLessThan == nil && aws.ToString(f.Prefix) == ""
}

// WithAbort adds a rule of that name, or replaces the one that has it.
func (l Lifecycle) WithAbort(id string, days int) Lifecycle {
	rule := types.LifecycleRule{
		ID: &id, Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{Prefix: aws.String("")},
		AbortIncompleteMultipartUpload: &types.AbortIncompleteMultipartUpload{DaysAfterInitiation: aws.Int32(int32(days))},
	}
	others := slices.DeleteFunc(slices.Clone(l.rules), func(r types.LifecycleRule) bool { return aws.ToString(r.ID) == id })
	l.rules = append(others, rule)
	return l
}

// Lifecycle reads the rules; a bucket without any gives none.
func (s *Store) Lifecycle(ctx context.Context) (Lifecycle, error) {
	ctx, call := s.read(ctx, opGetLifecycle, s.bucket, s.timeouts.ReadHeader)
	out, err := s.client.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &s.bucket}, call.options()...)
	if err = call.end(0, err); err != nil {
		if codeOf(err) == "NoSuchLifecycleConfiguration" {
			return Lifecycle{}, nil
		}
		return Lifecycle{}, err
	}
	return Lifecycle{rules: out.Rules, smallest: out.TransitionDefaultMinimumObjectSize}, nil
}

// PutLifecycle replaces all rules.
func (s *Store) PutLifecycle(ctx context.Context, l Lifecycle) error {
	ctx, call := s.change(ctx, opPutLifecycle, s.bucket, s.timeouts.WriteHeader)
	_, err := s.client.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{
		Bucket: &s.bucket, LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: l.rules},
		TransitionDefaultMinimumObjectSize: l.smallest,
	}, call.options(s.digest()...)...)
	return call.end(0, err)
}
