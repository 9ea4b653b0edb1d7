package memstore_test

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/op"
)

func section(s string) *io.SectionReader {
	return io.NewSectionReader(strings.NewReader(s), 0, int64(len(s)))
}

func put(t *testing.T, s store.Store, key, data string, h store.Headers) error {
	t.Helper()
	_, err := s.Put(t.Context(), key, section(data), h, store.Cond{})
	return err
}

func get(t *testing.T, s store.Store, key string) (string, error) {
	t.Helper()
	body, _, err := s.Get(t.Context(), key, store.All, store.Cond{})
	if err != nil {
		return "", err
	}
	data, err := io.ReadAll(body)
	return string(data), errors.Join(err, body.Close())
}

func TestProvider(t *testing.T) {
	a, err := store.Open(t.Context(), memstore.ProviderName, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := store.Open(t.Context(), memstore.ProviderName, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := put(t, a, "k", "x", store.Headers{}); err != nil {
		t.Error(err)
	}
	if _, err := b.Head(t.Context(), "k", store.Cond{}); !errors.Is(err, store.ErrNotExist) {
		t.Errorf("a second bucket has the first one's object: %v", err)
	}
}

// TestETags compares with what Amazon S3 answers for the same bytes.
func TestETags(t *testing.T) {
	s := memstore.New(memstore.Config{MinPart: 1})
	for data, want := range map[string]string{
		"":      `"d41d8cd98f00b204e9800998ecf8427e"`,
		"hello": `"5d41402abc4b2a76b9719d911017c592"`,
	} {
		res, err := s.Put(t.Context(), "k", section(data), store.Headers{}, store.Cond{})
		if err != nil || res.ETag != want {
			t.Errorf("%q: %s, %v, want %s", data, res.ETag, err, want)
		}
	}
	// md5(md5("hello") + md5("")): printf of the two digests piped into md5sum.
	id, err := s.Create(t.Context(), "m", store.Headers{})
	if err != nil {
		t.Fatal(err)
	}
	var parts []store.Part
	for i, data := range []string{"hello", ""} {
		p, err := s.UploadPart(t.Context(), "m", id, int32(i+1), section(data))
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, p)
	}
	res, err := s.Complete(t.Context(), "m", id, parts, store.Cond{})
	if want := `"a169f9255cc30bf56198c64ae2a09832-2"`; err != nil || res.ETag != want {
		t.Errorf("multipart: %s, %v, want %s", res.ETag, err, want)
	}
	if res, err = s.Copy(t.Context(), store.CopyRequest{Source: "m", Target: "c"}); err != nil || res.ETag != `"5d41402abc4b2a76b9719d911017c592"` {
		t.Errorf("a copy has one part: %s, %v", res.ETag, err)
	}
}

func TestTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(memstore.Config{})
		time.Sleep(1500 * time.Millisecond)
		id, err := s.Create(t.Context(), "m", store.Headers{})
		if err != nil {
			t.Fatal(err)
		}
		created := time.Now().UTC().Truncate(time.Second)
		time.Sleep(time.Hour)
		p, err := s.UploadPart(t.Context(), "m", id, 1, section("x"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Complete(t.Context(), "m", id, []store.Part{p}, store.Cond{}); err != nil {
			t.Fatal(err)
		}
		if err := put(t, s, "k", "x", store.Headers{}); err != nil {
			t.Fatal(err)
		}
		all := s.Objects()
		if got := all["m"].LastModified; !got.Equal(created) {
			t.Errorf("multipart object is of %v, its upload was created at %v", got, created)
		}
		if got := all["k"].LastModified; !got.Equal(created.Add(time.Hour)) {
			t.Errorf("object is of %v", got)
		}
	})
}

func TestPolicy(t *testing.T) {
	s := memstore.New(memstore.Config{Allow: func(o, key string) error {
		if strings.HasPrefix(key, "private/") || (op.IsWrite(o) && strings.HasPrefix(key, "protected/")) {
			return errors.New("not yours")
		}
		return nil
	}})
	s.PutString("private/a", "x")
	s.PutString("protected/a", "x")
	ctx := t.Context()
	list := func(prefix string) (last error) {
		for _, err := range s.List(ctx, prefix, store.ListOptions{}) {
			last = err
		}
		return last
	}
	_, headErr := s.Head(ctx, "private/a", store.Cond{})
	_, copyFrom := s.Copy(ctx, store.CopyRequest{Source: "private/a", Target: "public/a"})
	_, copyTo := s.Copy(ctx, store.CopyRequest{Source: "protected/a", Target: "protected/b"})
	_, createErr := s.Create(ctx, "protected/b", store.Headers{})
	denied := map[string]error{
		"head": headErr, "list": list("private/"), "put": put(t, s, "protected/a", "y", store.Headers{}),
		"copy from": copyFrom, "copy to": copyTo, "create": createErr, "delete": s.Delete(ctx, "private/a", store.Cond{}),
		"abort": s.Abort(ctx, "protected/b", "id"),
	}
	for what, err := range denied {
		e, ok := errors.AsType[*store.Error](err)
		if !ok || !errors.Is(err, store.ErrPermission) || e.Status != 403 || e.Code != "AccessDenied" {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := list("protected/"); err != nil {
		t.Errorf("list: %v", err)
	}
	failed, err := s.DeleteMany(ctx, []string{"public/x", "private/a", "protected/a"})
	if err != nil || len(failed) != 2 || failed[0].Key != "private/a" || !errors.Is(failed[0].Err, store.ErrPermission) {
		t.Errorf("delete-many: %v, %v", failed, err)
	}
	s.SetAllow(nil)
	if _, err := s.Head(ctx, "private/a", store.Cond{}); err != nil {
		t.Errorf("without a policy: %v", err)
	}
	if d := cmp.Diff([]string{"private/a", "protected/a"}, s.Keys()); d != "" {
		t.Error(d)
	}
}

func TestRequestsAreCounted(t *testing.T) {
	s := memstore.New(memstore.Config{})
	ctx := t.Context()
	for _, k := range []string{"a", "b", "c"} {
		if err := put(t, s, k, "0123456789", store.Headers{}); err != nil {
			t.Fatal(err)
		}
	}
	s.ResetCounts()
	for range s.List(ctx, "", store.ListOptions{PageSize: 1}) { //nolint:errcheck // counted only
		break // no further page is asked for
	}
	for range s.List(ctx, "", store.ListOptions{PageSize: 2}) { //nolint:errcheck // counted only
		continue
	}
	_, err := s.Put(ctx, "a", section("refused"), store.Headers{}, store.Cond{IfNoneMatch: true})
	if !errors.Is(err, store.ErrChanged) {
		t.Error(err)
	}
	if _, err := get(t, s, "b"); err != nil {
		t.Error(err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.Head(ended, "a", store.Cond{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if d := cmp.Diff(map[string]int{op.List: 3, op.Put: 1, op.Get: 1}, s.Counts()); d != "" {
		t.Errorf("counts (-want +got):\n%s", d)
	}
	var log []string
	for _, r := range s.Requests() {
		log = append(log, r.String())
	}
	want := []string{
		`list ""`, `list ""`, `list ""`,
		`put "a" 7 bytes if-none-match *: put "a": object has changed (PreconditionFailed, HTTP 412)`, `get "b"`,
	}
	if d := cmp.Diff(want, log); d != "" {
		t.Errorf("requests (-want +got):\n%s", d)
	}
	if in, out := s.BytesReceived(), s.BytesSent(); in != 7 || out != 10 {
		t.Errorf("%d bytes in, %d out", in, out)
	}
	s.ResetCounts()
	if len(s.Counts()) != 0 || len(s.Requests()) != 0 || s.BytesReceived() != 0 || s.BytesSent() != 0 {
		t.Error("counts are left")
	}
}

func TestArchived(t *testing.T) {
	s := memstore.New(memstore.Config{})
	s.PutString("thawed", "x")
	if err := put(t, s, "frozen", "x", store.Headers{StorageClass: "DEEP_ARCHIVE"}); err != nil {
		t.Fatal(err)
	}
	if !s.Archive("thawed") || s.Archive("absent") {
		t.Error("Archive does not tell what exists")
	}
	for _, k := range []string{"thawed", "frozen"} {
		if _, err := get(t, s, k); !errors.Is(err, store.ErrArchived) || errors.Is(err, store.ErrPermission) {
			t.Errorf("get %s: %v", k, err)
		}
		if _, err := s.Copy(t.Context(), store.CopyRequest{Source: k, Target: "copy"}); !errors.Is(err, store.ErrArchived) {
			t.Errorf("copy %s: %v", k, err)
		}
		if o, err := s.Head(t.Context(), k, store.Cond{}); err != nil || o.StorageClass == "" {
			t.Errorf("head %s: %+v, %v", k, o, err)
		}
	}
}

func TestForeignWriter(t *testing.T) {
	s := memstore.New(memstore.Config{Allow: func(string, string) error { return errors.New("denied") }})
	s.PutString("k", "old")
	s.SetAllow(nil)
	body, o, err := s.Get(t.Context(), "k", store.All, store.Cond{})
	if err != nil {
		t.Fatal(err)
	}
	etag := s.PutRaw("k", memstore.Raw{Data: []byte("new"), Headers: store.Headers{Metadata: map[string]string{"a": "1"}}})
	if data, err := io.ReadAll(body); string(data) != "old" || err != nil {
		t.Errorf("an open body gives %q, %v", data, err)
	}
	if err := body.Close(); err != nil {
		t.Error(err)
	}
	if _, err := body.Read(make([]byte, 1)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("read of a closed body: %v", err)
	}
	if _, err := s.Head(t.Context(), "k", store.Cond{IfMatch: o.ETag}); !errors.Is(err, store.ErrChanged) || etag == o.ETag {
		t.Errorf("head of the old version: %v", err)
	}
	if n := len(s.Requests()); n != 2 {
		t.Errorf("%d requests: the foreign writer's count", n)
	}
	raw, ok := s.Object("k")
	if !ok || string(raw.Data) != "new" || raw.Headers.Metadata["a"] != "1" {
		t.Errorf("object is %+v", raw)
	}
	raw.Data[0], raw.Headers.Metadata["a"] = 'X', "2"
	if raw, _ = s.Object("k"); string(raw.Data) != "new" || raw.Headers.Metadata["a"] != "1" {
		t.Error("a snapshot shares the bucket's memory")
	}
	s.Remove("k", "absent")
	if _, ok := s.Object("k"); ok || len(s.Objects()) != 0 {
		t.Error("the object is still there")
	}
}

func TestWithoutETag(t *testing.T) {
	s := memstore.New(memstore.Config{})
	when := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s.PutRaw("k", memstore.Raw{Data: []byte("dropped in"), NoETag: true, LastModified: when})
	o, err := s.Head(t.Context(), "k", store.Cond{IfUnmodifiedSince: when})
	if err != nil || o.ETag != "" || !o.LastModified.Equal(when) {
		t.Errorf("head: %+v, %v", o, err)
	}
	if _, err := s.Head(t.Context(), "k", store.Cond{IfMatch: `"0"`}); !errors.Is(err, store.ErrChanged) {
		t.Errorf("If-Match: %v", err)
	}
}

func TestCorrupt(t *testing.T) {
	s := memstore.New(memstore.Config{})
	if err := put(t, s, "k", "abc", store.Headers{}); err != nil {
		t.Fatal(err)
	}
	before, err := s.Head(t.Context(), "k", store.Cond{})
	if err != nil {
		t.Fatal(err)
	}
	if !s.Corrupt("k", 1) || s.Corrupt("k", 3) || s.Corrupt("absent", 0) {
		t.Error("Corrupt does not tell what it did")
	}
	after, err := s.Head(t.Context(), "k", store.Cond{})
	if d := cmp.Diff(before, after); d != "" || err != nil {
		t.Errorf("what the store says changed: %v\n%s", err, d)
	}
	if got, err := get(t, s, "k"); got != "acc" || err != nil {
		t.Errorf("get: %q, %v", got, err)
	}
}

func TestIgnoredConditions(t *testing.T) {
	s := memstore.New(memstore.Config{IgnoreWriteCond: true})
	s.PutString("k", "old")
	res, err := s.Put(t.Context(), "k", section("probe"), store.Headers{}, store.Cond{IfMatch: `"0"`})
	if err != nil || res.ETag == "" {
		t.Errorf("put: %v", err)
	}
	if s.Limits().CopyCond {
		t.Error("Limits promise conditions of copies")
	}
	if _, err := s.Head(t.Context(), "k", store.Cond{IfMatch: `"0"`}); !errors.Is(err, store.ErrChanged) {
		t.Errorf("reads honour conditions: %v", err)
	}
}

func TestRefusedRequests(t *testing.T) {
	limits := store.S3Limits()
	limits.MaxPut, limits.MaxCopy, limits.MaxPart, limits.MaxObject = 10, 5, 8, 12
	s := memstore.New(memstore.Config{Limits: limits, MinPart: 1})
	s.PutString("eight", "12345678")
	ctx := t.Context()
	_, tooLarge := s.Copy(ctx, store.CopyRequest{Source: "eight", Target: "k"})
	s.PutString("four", "1234")
	_, onItself := s.Copy(ctx, store.CopyRequest{Source: "four", Target: "four"})
	id, err := s.Create(ctx, "k", store.Headers{})
	if err != nil {
		t.Fatal(err)
	}
	_, bigPart := s.UploadPart(ctx, "k", id, 1, section("123456789"))
	_, partZero := s.UploadPart(ctx, "k", id, 0, section(""))
	_, manyParts := s.UploadPart(ctx, "k", id, 10_001, section(""))
	_, otherKey := s.UploadPart(ctx, "other", id, 1, section(""))
	_, noParts := s.Complete(ctx, "k", id, nil, store.Cond{})
	_, both := s.Put(ctx, "k", section(""), store.Headers{}, store.Cond{IfMatch: "x", IfNoneMatch: true})
	_, writeTime := s.Put(ctx, "k", section(""), store.Headers{}, store.Cond{IfUnmodifiedSince: time.Now()})
	meta := func(name, value string) error {
		return put(t, s, "k", "", store.Headers{Metadata: map[string]string{name: value}})
	}
	refused := map[string]error{
		"put above MaxPut": put(t, s, "k", "12345678901", store.Headers{}), "copy above MaxCopy": tooLarge,
		"copy onto itself": onItself, "part above MaxPart": bigPart, "part 0": partZero, "part 10,001": manyParts,
		"complete without parts": noParts, "two conditions": both, "If-Unmodified-Since on a write": writeTime,
		"metadata of 3 KiB": meta("m", strings.Repeat("x", 3<<10)), "metadata not ASCII": meta("m", "é"),
		"metadata with a newline": meta("m", "a\nb"), "no key": put(t, s, "", "", store.Headers{}),
		"key too long":   put(t, s, strings.Repeat("k", 1025), "", store.Headers{}),
		"type not ASCII": put(t, s, "k", "", store.Headers{ContentType: "é"}),
	}
	for what, err := range refused {
		if !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if !errors.Is(otherKey, store.ErrNoUpload) {
		t.Errorf("upload of another key: %v", otherKey)
	}
	if !slices.Equal(s.Keys(), []string{"eight", "four"}) {
		t.Errorf("keys are %q", s.Keys())
	}
}
