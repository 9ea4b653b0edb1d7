package faultstore_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/op"
)

func section(s string) *io.SectionReader {
	return io.NewSectionReader(strings.NewReader(s), 0, int64(len(s)))
}

func put(t *testing.T, s store.Store, key, data string) error {
	t.Helper()
	_, err := s.Put(t.Context(), key, section(data), store.Headers{}, store.Cond{})
	return err
}

// TestShapes asserts that each fault is the *store.Error that s3store makes.
func TestShapes(t *testing.T) {
	tests := []struct {
		fault      faultstore.Fault
		kind       error
		status     int
		code       string
		cause      error
		unanswered bool
	}{
		{faultstore.SlowDown(), store.ErrThrottled, 503, "SlowDown", nil, true},
		{faultstore.InternalError(), store.ErrTransient, 500, "InternalError", nil, true},
		{faultstore.Denied(), store.ErrPermission, 403, "AccessDenied", nil, false},
		{faultstore.Precondition(), store.ErrChanged, 412, "PreconditionFailed", nil, false},
		{faultstore.Conflict(), store.ErrChanged, 409, "ConditionalRequestConflict", nil, false},
		{faultstore.NotFound(), store.ErrNotExist, 404, "NoSuchKey", nil, false},
		{faultstore.NoUpload(), store.ErrNoUpload, 404, "NoSuchUpload", nil, false},
		{faultstore.NoBucket(), store.ErrNoBucket, 404, "NoSuchBucket", nil, false},
		{faultstore.Expired(), store.ErrExpired, 400, "ExpiredToken", nil, false},
		{faultstore.BadCredentials(), store.ErrCredentials, 403, "InvalidAccessKeyId", nil, false},
		{faultstore.Archived(), store.ErrArchived, 403, "InvalidObjectState", nil, false},
		{faultstore.Invalid(), store.ErrInvalid, 400, "InvalidRequest", nil, false},
		{faultstore.Reset(), store.ErrTransient, 0, "", syscall.ECONNRESET, true},
		{faultstore.Refused(), store.ErrTransient, 0, "", syscall.ECONNREFUSED, false},
	}
	for _, tt := range tests {
		t.Run(tt.fault.String(), func(t *testing.T) {
			mem := memstore.New(memstore.Config{})
			s := faultstore.New(mem, faultstore.Rule{Op: op.Put, Fault: tt.fault})
			err := put(t, s, "k", "x")
			e, ok := errors.AsType[*store.Error](err)
			if !ok {
				t.Fatalf("error is %T, want *store.Error", err)
			}
			if !errors.Is(err, tt.kind) || (tt.cause != nil && !errors.Is(err, tt.cause)) {
				t.Errorf("%v: is not %v, %v", err, tt.kind, tt.cause)
			}
			if e.Op != op.Put || e.Key != "k" || e.Status != tt.status || e.Code != tt.code || e.Unanswered != tt.unanswered {
				t.Errorf("error is %+v", *e)
			}
			if n := len(mem.Requests()); n != 0 {
				t.Errorf("%d requests reached the store", n)
			}
			if err := put(t, s, "k", "x"); err != nil {
				t.Errorf("the second call failed too: %v", err)
			}
		})
	}
}

func TestAppliedThenFails(t *testing.T) {
	mem := memstore.New(memstore.Config{})
	s := faultstore.New(mem, faultstore.Rule{Op: faultstore.AnyWrite, Count: faultstore.Forever, Fault: faultstore.Lost()})
	if err := put(t, s, "k", "x"); !store.Unanswered(err) {
		t.Errorf("put: %v, want unanswered", err)
	}
	if _, ok := mem.Object("k"); !ok {
		t.Error("the put was not applied")
	}
	id, err := s.Create(t.Context(), "k", store.Headers{})
	if id != "" || !store.Unanswered(err) || len(mem.Uploads()) != 1 {
		t.Errorf("create: id %q, %v, uploads %v", id, err, mem.Uploads())
	}
	if err := s.Delete(t.Context(), "k", store.Cond{IfMatch: `"other"`}); !errors.Is(err, store.ErrChanged) || store.Unanswered(err) {
		t.Errorf("a call that the store refuses answers so: %v", err)
	}

	s = faultstore.New(mem, faultstore.Rule{Fault: faultstore.Applied(faultstore.Denied())})
	if err := s.Delete(t.Context(), "k", store.Cond{}); !store.Unanswered(err) || !errors.Is(err, store.ErrPermission) {
		t.Errorf("delete: %v", err)
	}
	if len(mem.Keys()) != 0 {
		t.Error("the delete was not applied")
	}
}

func TestRulesChooseCalls(t *testing.T) {
	tests := []struct {
		name string
		rule faultstore.Rule
		text string
		want []int // numbers of the calls that fail
	}{
		{"first", faultstore.Rule{}, "any call: 403 AccessDenied", []int{1}},
		{"op", faultstore.Rule{Op: op.Head, Count: 2}, "head, 2 times: 403 AccessDenied", []int{2, 5}},
		{"reads", faultstore.Rule{Op: faultstore.AnyRead, Count: faultstore.Forever}, "read, for good: 403 AccessDenied", []int{2, 3, 5, 6}},
		{"writes", faultstore.Rule{Op: faultstore.AnyWrite, Count: faultstore.Forever}, "write, for good: 403 AccessDenied", []int{1, 4}},
		{"key", faultstore.Rule{Key: "b/1", Nth: 2}, `any call "b/1", from number 2 on: 403 AccessDenied`, []int{5}},
		{"prefix", faultstore.Rule{Key: "b/*", Nth: 2, Count: 2}, `any call "b/*", from number 2 on, 2 times: 403 AccessDenied`, []int{5, 6}},
		{
			"where",
			faultstore.Rule{Where: func(c faultstore.Call) bool { return c.N == 3 }, Name: "it is the third"},
			"any call where it is the third: 403 AccessDenied",
			[]int{3},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			mem := memstore.New(memstore.Config{})
			mem.PutString("a", "")
			mem.PutString("b/1", "")
			tt.rule.Fault = faultstore.Denied()
			if got := tt.rule.String(); got != tt.text {
				t.Errorf("rule prints %q, want %q", got, tt.text)
			}
			s := faultstore.New(mem, tt.rule)
			var failed []int
			for i, key := range []string{"a", "b/1"} {
				putErr := put(t, s, key, "x")
				_, headErr := s.Head(t.Context(), key, store.Cond{})
				rc, _, getErr := s.Get(t.Context(), key, store.All, store.Cond{})
				if getErr == nil {
					_ = rc.Close()
				}
				for j, err := range []error{putErr, headErr, getErr} {
					if err != nil {
						failed = append(failed, 3*i+j+1)
					}
				}
			}
			if d := cmp.Diff(tt.want, failed); d != "" {
				t.Errorf("failed calls (-want +got):\n%s%v", d, s.Fired())
			}
			if len(s.Fired()) != len(tt.want) || len(s.Calls()) != 6 {
				t.Errorf("fired %v of %v", s.Fired(), s.Calls())
			}
		})
	}
}

func TestBodies(t *testing.T) {
	data := strings.Repeat("0123456789", 5000)
	read := func(t *testing.T, f faultstore.Fault) ([]byte, error) {
		t.Helper()
		mem := memstore.New(memstore.Config{})
		mem.PutString("k", data)
		s := faultstore.New(mem, faultstore.Rule{Op: op.Get, Fault: f})
		rc, o, err := s.Get(t.Context(), "k", store.All, store.Cond{})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = rc.Close() }()
		if o.Size != int64(len(data)) {
			t.Errorf("size %d", o.Size)
		}
		return io.ReadAll(rc)
	}
	for _, n := range []int64{0, 1, 20_000, int64(len(data)) - 1} {
		got, err := read(t, faultstore.Cut(n))
		if string(got) != data[:n] || !errors.Is(err, io.ErrUnexpectedEOF) || !errors.Is(err, store.ErrTransient) {
			t.Errorf("cut at %d: %d bytes, %v", n, len(got), err)
		}
	}
	if got, err := read(t, faultstore.Cut(int64(len(data)))); err != nil || string(got) != data {
		t.Errorf("a body that ends where the cut is: %d bytes, %v", len(got), err)
	}
	got, err := read(t, faultstore.Flip(30_000))
	want := []byte(data)
	want[30_000] ^= 1
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("flip: %v", err)
	}
}

func TestBodyStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := memstore.New(memstore.Config{})
		mem.PutString("k", "0123456789")
		s := faultstore.New(mem, faultstore.Rule{Op: op.Get, Count: 2, Fault: faultstore.StallBody(4)})

		ctx, cancel := context.WithCancel(t.Context())
		rc, _, err := s.Get(ctx, "k", store.All, store.Cond{})
		if err != nil {
			t.Fatal(err)
		}
		go func() { synctest.Wait(); cancel() }()
		if got, err := io.ReadAll(rc); string(got) != "0123" || !errors.Is(err, context.Canceled) {
			t.Errorf("stalled body: %q, %v", got, err)
		}

		rc, _, err = s.Get(t.Context(), "k", store.All, store.Cond{})
		if err != nil {
			t.Fatal(err)
		}
		go func() { synctest.Wait(); s.Release() }()
		if got, err := io.ReadAll(rc); string(got) != "0123456789" || err != nil {
			t.Errorf("released body: %q, %v", got, err)
		}
	})
}

func TestStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := memstore.New(memstore.Config{})
		s := faultstore.New(mem, faultstore.Rule{Op: op.Put, Count: 2, Fault: faultstore.Stall()})
		ctx, cancel := context.WithCancel(t.Context())
		ended, released := make(chan error, 1), make(chan error, 1)
		go func() {
			_, err := s.Put(ctx, "ended", section("x"), store.Headers{}, store.Cond{})
			ended <- err
		}()
		synctest.Wait()
		go func() { released <- put(t, s, "released", "y") }()
		synctest.Wait()
		if got := s.Stalled(); len(got) != 2 || got[0].Key != "ended" || got[1].Key != "released" {
			t.Errorf("stalled are %v", got)
		}
		if err := put(t, s, "other", "z"); err != nil {
			t.Errorf("a call beside the stalled ones: %v", err)
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) || !store.Unanswered(err) {
			t.Errorf("ended: %v", err)
		}
		if n := s.Release(); n != 1 {
			t.Errorf("released %d calls", n)
		}
		if err := <-released; err != nil {
			t.Errorf("released: %v", err)
		}
		if d := cmp.Diff([]string{"other", "released"}, mem.Keys()); d != "" {
			t.Error(d)
		}
	})
}

func TestOutage(t *testing.T) {
	mem := memstore.New(memstore.Config{})
	mem.PutString("k", strings.Repeat("x", 100_000))
	s := faultstore.New(mem)
	rc, _, err := s.Get(t.Context(), "k", store.All, store.Cond{})
	if err != nil {
		t.Fatal(err)
	}
	s.StartOutage(faultstore.Fault{})
	if _, err := io.ReadAll(rc); !errors.Is(err, store.ErrTransient) {
		t.Errorf("open body: %v", err)
	}
	if err := put(t, s, "a", ""); !errors.Is(err, store.ErrTransient) || store.Unanswered(err) {
		t.Errorf("put: %v", err)
	}
	pages := 0
	for _, err := range s.List(t.Context(), "", store.ListOptions{}) {
		if pages++; !errors.Is(err, store.ErrTransient) {
			t.Errorf("list: %v", err)
		}
	}
	if pages != 1 {
		t.Errorf("%d pages", pages)
	}
	s.EndOutage()
	if err := put(t, s, "a", ""); err != nil {
		t.Errorf("put after the outage: %v", err)
	}
}

func TestListPagesAreCalls(t *testing.T) {
	mem := memstore.New(memstore.Config{})
	for _, k := range []string{"a", "b", "c", "d", "e"} {
		mem.PutString(k, "")
	}
	s := faultstore.New(mem, faultstore.Rule{Op: op.List, Nth: 2, Fault: faultstore.SlowDown()})
	list := func() (keys string, err error) {
		for p, e := range s.List(t.Context(), "", store.ListOptions{PageSize: 2}) {
			for _, o := range p.Objects {
				keys += o.Key
			}
			err = e
		}
		return keys, err
	}
	if keys, err := list(); keys != "ab" || !errors.Is(err, store.ErrTransient) {
		t.Errorf("first listing: %q, %v", keys, err)
	}
	if keys, err := list(); keys != "abcde" || err != nil {
		t.Errorf("second listing: %q, %v", keys, err)
	}
	for _, err := range s.List(t.Context(), "", store.ListOptions{PageSize: 1}) {
		if err != nil {
			t.Error(err)
		}
		break
	}
	if got := len(s.Calls()); got != 2+3+1 {
		t.Errorf("%d calls", got)
	}
}

func TestDeleteManyFailsInPart(t *testing.T) {
	mem := memstore.New(memstore.Config{})
	for _, k := range []string{"a1", "a2", "b1"} {
		mem.PutString(k, "")
	}
	begins := func(k string) bool { return strings.HasPrefix(k, "a") }
	s := faultstore.New(mem, faultstore.Rule{Fault: faultstore.Keys("a*", begins, faultstore.Denied())})
	failed, err := s.DeleteMany(t.Context(), []string{"a1", "a2", "b1"})
	if err != nil || len(failed) != 2 || failed[1].Key != "a2" || !errors.Is(failed[1].Err, store.ErrPermission) {
		t.Errorf("failed %v, %v", failed, err)
	}
	if d := cmp.Diff([]string{"a1", "a2"}, mem.Keys()); d != "" {
		t.Error(d)
	}
}

func TestHooksAndActions(t *testing.T) {
	mem := memstore.New(memstore.Config{})
	foreign := func() { mem.PutString("k", "foreign") }
	s := faultstore.New(mem, faultstore.Rule{Op: op.Put, Fault: faultstore.Do("foreign writer", foreign)})
	var seen []string
	s.SetHooks(faultstore.Hooks{
		Before: func(c faultstore.Call) { seen = append(seen, "before "+c.String()) },
		After: func(c faultstore.Call, err error) {
			if errors.Is(err, store.ErrChanged) {
				seen = append(seen, "changed "+c.Op)
			}
		},
	})
	_, err := s.Put(t.Context(), "k", section("x"), store.Headers{}, store.Cond{IfNoneMatch: true})
	if !errors.Is(err, store.ErrChanged) {
		t.Errorf("put behind a foreign writer: %v", err)
	}
	if d := cmp.Diff([]string{`before call 1: put "k"`, "changed put"}, seen); d != "" {
		t.Error(d)
	}
}

func TestEndedContextIsNoCall(t *testing.T) {
	s := faultstore.New(memstore.New(memstore.Config{}), faultstore.Rule{Fault: faultstore.Denied()})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Head(ctx, "k", store.Cond{}); !errors.Is(err, context.Canceled) {
		t.Errorf("head: %v", err)
	}
	if len(s.Calls()) != 0 || len(s.Fired()) != 0 {
		t.Errorf("calls %v, fired %v", s.Calls(), s.Fired())
	}
}

func TestSweepVisitsEveryCall(t *testing.T) {
	type run struct {
		fault string
		keys  string
	}
	var runs []run
	faultstore.Sweep(t, []faultstore.Fault{faultstore.SlowDown(), faultstore.Lost()}, func(t *testing.T, arm faultstore.Arm) {
		mem := memstore.New(memstore.Config{})
		s := arm(mem)
		_, _ = put(t, s, "a", ""), put(t, s, "b", "")
		runs = append(runs, run{strings.Join(s.Fired(), ""), strings.Join(mem.Keys(), "")})
	})
	want := []run{
		{`call 1: put "a": any call: 503 SlowDown`, "b"},
		{`call 2: put "b": any call, from number 2 on: 503 SlowDown`, "a"},
		{"", "ab"},
		{`call 1: put "a": any call: connection reset after it was applied`, "ab"},
		{`call 2: put "b": any call, from number 2 on: connection reset after it was applied`, "ab"},
		{"", "ab"},
	}
	if d := cmp.Diff(want, runs, cmp.AllowUnexported(run{})); d != "" {
		t.Errorf("runs (-want +got):\n%s", d)
	}
}
