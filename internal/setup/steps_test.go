package setup_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/internal/setup"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/s3store"
)

// bucket is one in memory that refuses what it is told to.
type bucket struct {
	there   bool
	rules   []s3store.CORSRule
	life    s3store.Lifecycle
	refuse  map[string]error // by call
	changes []string
}

func (b *bucket) call(name string, change bool) error {
	if err := b.refuse[name]; err != nil {
		return err
	}
	if change {
		b.changes = append(b.changes, name)
	}
	return nil
}

func (b *bucket) BucketExists(context.Context) (bool, error) { return b.there, b.call("head", false) }

func (b *bucket) CreateBucket(context.Context) error {
	err := b.call("create", true)
	b.there = err == nil
	return err
}

func (b *bucket) CORS(context.Context) ([]s3store.CORSRule, error) {
	return b.rules, b.call("cors", false)
}

func (b *bucket) PutCORS(_ context.Context, r []s3store.CORSRule) error {
	err := b.call("put cors", true)
	if err == nil {
		b.rules = r
	}
	return err
}

func (b *bucket) Lifecycle(context.Context) (s3store.Lifecycle, error) {
	return b.life, b.call("lifecycle", false)
}

func (b *bucket) PutLifecycle(_ context.Context, l s3store.Lifecycle) error {
	err := b.call("put lifecycle", true)
	if err == nil {
		b.life = l
	}
	return err
}

func plan(apply, create bool) setup.Plan {
	return setup.Plan{Name: "b", CORS: setup.AmplifyCORS(nil, nil), AbortDays: setup.DefaultAbortDays, Apply: apply, Create: create}
}

func states(steps []setup.Step) string {
	var out []string
	for _, s := range steps {
		out = append(out, s.Name+": "+string(s.State))
	}
	return strings.Join(out, ", ")
}

func TestStepsAreDoneOnce(t *testing.T) {
	b := &bucket{}
	want := func(p setup.Plan, text string, changes ...string) []setup.Step {
		t.Helper()
		b.changes = nil
		steps := setup.Run(t.Context(), b, p)
		if got := states(steps); got != text {
			t.Errorf("%s, want %s", got, text)
		}
		if diff := cmp.Diff(changes, b.changes); diff != "" {
			t.Error(diff)
		}
		return steps
	}
	missing := want(plan(true, false), "bucket: failed")
	if !errors.Is(missing[0].Err, store.ErrNoBucket) || !strings.Contains(missing[0].Mend, "--create") {
		t.Errorf("%+v", missing[0])
	}
	want(plan(false, true), "bucket: to do, cors: to do, lifecycle: to do")
	want(plan(true, true), "bucket: done, cors: done, lifecycle: done", "create", "put cors", "put lifecycle")
	want(plan(true, true), "bucket: already there, cors: already there, lifecycle: already there")
	if days, ok := b.life.AbortsAfter(); !ok || days != 7 || len(b.rules) != 1 {
		t.Errorf("%d, %v, %+v", days, ok, b.rules)
	}
}

// Each step says what has become of it, and none keeps the next ones from being tried.
func TestStepsThatAreRefused(t *testing.T) {
	denied := &store.Error{Op: "x", Key: "b", Code: "AccessDenied", Status: 403, Kind: store.ErrPermission}
	none := &store.Error{Op: "x", Key: "b", Code: "NotImplemented", Status: 501, Kind: store.ErrInvalid}
	away := &store.Error{Op: "x", Key: "b", Kind: store.ErrTransient}
	for _, tt := range []struct {
		there  bool
		refuse map[string]error
		want   string
		mend   string // of the step that is refused first
	}{
		{true, map[string]error{"cors": denied}, "bucket: already there, cors: denied, lifecycle: done", "needs s3:GetBucketCORS"},
		{true, map[string]error{"put cors": denied, "lifecycle": none}, "bucket: already there, cors: denied, lifecycle: not supported", "needs s3:PutBucketCORS"},
		{true, map[string]error{"put lifecycle": denied}, "bucket: already there, cors: done, lifecycle: denied", "needs s3:PutLifecycleConfiguration"},
		{true, map[string]error{"head": denied}, "bucket: denied, cors: done, lifecycle: done", "needs s3:ListBucket"},
		{true, map[string]error{"head": away}, "bucket: failed", "--endpoint"},
		{false, map[string]error{"create": denied}, "bucket: failed", "needs s3:CreateBucket"},
		{true, map[string]error{"cors": away}, "bucket: already there, cors: failed, lifecycle: done", "--endpoint"},
	} {
		steps := setup.Run(t.Context(), &bucket{there: tt.there, refuse: tt.refuse}, plan(true, true))
		if got := states(steps); got != tt.want {
			t.Errorf("%s, want %s", got, tt.want)
		}
		for _, s := range steps {
			if s.Err != nil {
				if !strings.Contains(s.Mend, tt.mend) {
					t.Errorf("%s: %q, want %q", s.Name, s.Mend, tt.mend)
				}
				break
			}
		}
	}
}
