package setup

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/s3store"
)

// AbortRuleID is the name of the lifecycle rule that aborts uploads in parts.
const AbortRuleID = "s3levelfs-abort-uploads"

// DefaultAbortDays is after how many days an upload in parts counts as given up: an
// upload that a mount resumes after a week off is rare, and its parts are sent anew.
const DefaultAbortDays = 7

// Bucket is what is set up.
type Bucket interface {
	BucketExists(ctx context.Context) (bool, error)
	CreateBucket(ctx context.Context) error
	CORS(ctx context.Context) ([]s3store.CORSRule, error)
	PutCORS(ctx context.Context, rules []s3store.CORSRule) error
	Lifecycle(ctx context.Context) (s3store.Lifecycle, error)
	PutLifecycle(ctx context.Context, l s3store.Lifecycle) error
}

// Plan says what to bring about.
type Plan struct {
	Name      string // of the bucket, for messages
	Create    bool   // the bucket, if there is none
	CORS      s3store.CORSRule
	AbortDays int  // at least 1
	Apply     bool // else nothing is changed
}

// State is how a step has ended.
type State string

// The states of a [Step].
const (
	Done        State = "done"
	ToDo        State = "to do" // what Apply would do
	There       State = "already there"
	Denied      State = "denied"
	Unsupported State = "not supported" // by this server
	Failed      State = "failed"
)

// Step is one thing that a bucket needs.
type Step struct {
	Name  string   `json:"step"`
	State State    `json:"state"`
	Says  []string `json:"says,omitempty"` // what changes, or is there
	Mend  string   `json:"mend,omitempty"`
	Err   error    `json:"-"` // of Denied, Unsupported and Failed
}

// Run goes through the steps. One that fails does not keep the next ones from
// being tried, but for a bucket that is not there.
func Run(ctx context.Context, b Bucket, p Plan) []Step {
	bucket, there := p.bucket(ctx, b)
	steps := []Step{bucket}
	if bucket.State == Failed {
		return steps
	}
	return append(steps, p.cors(ctx, b, there), p.lifecycle(ctx, b, there))
}

// bucket: there is false where the bucket is still to be made.
func (p Plan) bucket(ctx context.Context, b Bucket) (s Step, there bool) {
	s = Step{Name: "bucket", Says: []string{p.Name}}
	there, err := b.BucketExists(ctx)
	switch {
	case err != nil:
		return s.failed(err, "s3:ListBucket"), true
	case there:
		s.State = There
		return s, true
	case !p.Create:
		s.State, s.Mend = Failed, "check --bucket, --region and --endpoint, or make it with --create"
		s.Err = fmt.Errorf("bucket %s does not exist: %w", p.Name, store.ErrNoBucket)
		return s, false
	case !p.Apply:
		s.State = ToDo
		return s, false
	}
	if err := b.CreateBucket(ctx); err != nil {
		s = s.failed(err, "s3:CreateBucket")
		s.State = Failed // nothing else can be set up
		return s, false
	}
	s.State = Done
	return s, true
}

func (p Plan) cors(ctx context.Context, b Bucket, there bool) Step {
	s := Step{Name: "cors"}
	var rules []s3store.CORSRule
	if there {
		var err error
		if rules, err = b.CORS(ctx); err != nil {
			return s.failed(err, "s3:GetBucketCORS")
		}
	}
	merged, changes, err := MergeCORS(rules, p.CORS)
	switch {
	case err != nil:
		return s.failed(err, "")
	case len(changes) == 0:
		s.State = There
		return s
	}
	s.Says = append(changes, Hidden(merged, p.CORS)...)
	return s.change(p.Apply, "s3:PutBucketCORS", func() error { return b.PutCORS(ctx, merged) })
}

func (p Plan) lifecycle(ctx context.Context, b Bucket, there bool) Step {
	s := Step{Name: "lifecycle"}
	var l s3store.Lifecycle
	if there {
		var err error
		if l, err = b.Lifecycle(ctx); err != nil {
			return s.failed(err, "s3:GetLifecycleConfiguration")
		}
	}
	if days, ok := l.AbortsAfter(); ok {
		s.State, s.Says = There, []string{fmt.Sprintf("uploads in parts that nobody ends are aborted after %d days", days)}
		return s
	}
	s.Says = []string{fmt.Sprintf("adds rule %s: uploads in parts that nobody ends are aborted after %d days; %d other rules stay", AbortRuleID, p.AbortDays, l.Len())}
	return s.change(p.Apply, "s3:PutLifecycleConfiguration", func() error { return b.PutLifecycle(ctx, l.WithAbort(AbortRuleID, p.AbortDays)) })
}

// change makes a change, or tells that it would.
func (s Step) change(apply bool, action string, do func() error) Step {
	if !apply {
		s.State = ToDo
		return s
	}
	if err := do(); err != nil {
		return s.failed(err, action)
	}
	s.State = Done
	return s
}

// failed tells denied, not supported and the rest apart.
func (s Step) failed(err error, action string) Step {
	s.Err, s.Says = err, append(s.Says, oneLine(err))
	switch {
	case s3store.Unsupported(err):
		s.State = Unsupported
	case errors.Is(err, store.ErrPermission):
		s.State, s.Mend = Denied, "needs "+action+": use the credentials of who administers the bucket"
	default:
		s.State, s.Mend = Failed, "check --bucket, --endpoint, --region and the credentials"
	}
	return s
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
