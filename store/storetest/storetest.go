package storetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/s3levelfs/s3levelfs/store"
)

// Features tell where a server falls short of Amazon S3. The zero value is a
// server that does everything. Whether Copy honours conditions on its target is
// taken from Limits.CopyCond, and whether there are multipart uploads from
// Limits.MaxParts.
type Features struct {
	// Prefix is where the suite may work, "" or ending in a slash: the store
	// needs the rights to list, get, put and delete there, and no others.
	Prefix string

	// HideAbsent: Head and Get of an absent key fail with ErrPermission.
	HideAbsent bool
	// NoFileBesideDir: of the keys "a" and "a/b" only the first written exists,
	// the other Put fails with ErrInvalid. Source: versitygw 1.8, posix backend.
	NoFileBesideDir bool
	// NoMarkerContent: a key that ends in a slash holds no bytes, a Put of some
	// fails with ErrInvalid. Source: versitygw 1.8, posix backend.
	NoMarkerContent bool
	// NoPathKeys: keys with empty, "." or ".." elements are refused or land
	// under another key. Source: servers that keep objects as files.
	NoPathKeys bool
	// NoControlKeys: keys with bytes that XML can not carry (0x01 to 0x1f but tab,
	// newline and return) are refused, or listed under another name.
	// Source: versitygw 1.8, which ignores encoding-type=url.
	NoControlKeys bool
	// NoBinaryKeys: the same for keys that are not UTF-8.
	NoBinaryKeys bool
	// LongKeys: keys longer than Limits.MaxKey are taken.
	LongKeys bool
	// SelfCopyKeeps: a copy of an object onto itself with new headers keeps the
	// old value of each header that the new ones lack; metadata are replaced.
	// Source: versitygw 1.8, posix backend.
	SelfCopyKeeps bool
	// FineTimes: the server compares If-Unmodified-Since with times finer than the
	// seconds that it tells, so that an object's own LastModified does not hold.
	// Source: versitygw 1.8, posix backend.
	FineTimes bool
	// RacyConditions: of concurrent Puts with IfNoneMatch more than one may win.
	RacyConditions bool
	// NoRequestIDs: errors have no request id. Source: providers that are no server.
	NoRequestIDs bool
	// NoSums: a checksum that is given with a body is not sent.
	NoSums bool
	// Unkept names fields of store.Headers that the server refuses or drops:
	// "WebsiteRedirect", "StorageClass", "SSE".
	Unkept []string
}

// Test runs the suite on the store that open returns. open is called once; it
// closes the store by t.Cleanup.
func Test(t *testing.T, open func(t *testing.T) store.Store, f Features) {
	t.Helper()
	s := open(t)
	root := f.Prefix + "storetest-" + rand.Text() + "/"
	t.Cleanup(func() { empty(t, s, root) })
	groups := []group{
		{"Limits", testLimits},
		{"RoundTrip", testRoundTrip},
		{"GivenSums", testGivenSums},
		{"BodySections", testBodySections},
		{"Headers", testHeaders},
		{"OptionalHeaders", testOptionalHeaders},
		{"Markers", testMarkers},
		{"KeyNames", testKeyNames},
		{"KeysThatXMLCanNotCarry", testBinaryKeys},
		{"KeysThatAreNoPaths", testPathKeys},
		{"FileBesideDirectory", testFileBesideDir},
		{"ReadConditions", testReadConditions},
		{"PutConditions", testPutConditions},
		{"DeleteConditions", testDeleteConditions},
		{"Ranges", testRanges},
		{"List", testList},
		{"ListOrder", testListOrder},
		{"ListPages", testListPages},
		{"Copy", testCopy},
		{"CopyRefused", testCopyRefused},
		{"Tags", testTags},
		{"CopyTargetConditions", testCopyConditions},
		{"DeleteMany", testDeleteMany},
		{"Multipart", testMultipart},
		{"MultipartRefused", testMultipartRefused},
		{"MultipartConditions", testMultipartConditions},
		{"MultipartAbort", testAbort},
		{"GetOfParts", testGetParts},
		{"CopyPart", testCopyPart},
		{"Errors", testErrors},
		{"EndedContext", testEndedContext},
		{"ContextEndsInBody", testContextEndsInBody},
		{"Concurrent", testConcurrent},
		{"ConcurrentConditions", testConcurrentConditions},
	}
	if !s.Limits().Multipart() {
		groups = slices.DeleteFunc(groups, func(g group) bool {
			return slices.Contains([]string{"GetOfParts", "CopyPart"}, g.name) || strings.HasPrefix(g.name, "Multipart")
		})
		groups = append(groups, group{"NoMultipart", testNoMultipart})
	}
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			g.run(&env{T: t, s: s, f: f, prefix: root + g.name + "/"})
		})
	}
}

// group is a test of the suite.
type group struct {
	name string
	run  func(*env)
}

// env is what one test works with.
type env struct {
	*testing.T
	s      store.Store
	f      Features
	prefix string // ends in a slash; the test's own
}

func (e *env) key(name string) string { return e.prefix + name }

// names strips the prefix of keys.
func (e *env) names(keys []string) []string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = strings.TrimPrefix(k, e.prefix)
	}
	return out
}

func section(data []byte) *io.SectionReader {
	return io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data)))
}

// pattern makes n bytes that differ everywhere and by seed.
func pattern(n int64, seed byte) []byte {
	data := make([]byte, n)
	x := uint32(seed)*2654435761 + 1
	for i := range data {
		x = x*1664525 + 1013904223
		data[i] = byte(x >> 24)
	}
	return data
}

// put stores data and fails the test if it can not.
func (e *env) put(name string, data []byte, h store.Headers) store.PutResult {
	e.Helper()
	res, err := e.s.Put(e.Context(), e.key(name), section(data), h, store.Cond{})
	if err != nil {
		e.Fatalf("put %q: %v", name, err)
	}
	if res.ETag == "" {
		e.Errorf("put %q: no ETag", name)
	}
	return res
}

func (e *env) puts(name, data string) store.PutResult {
	e.Helper()
	return e.put(name, []byte(data), store.Headers{})
}

// get reads a range.
func (e *env) get(name string, r store.Range, c store.Cond) ([]byte, store.Object, error) {
	e.Helper()
	body, o, err := e.s.Get(e.Context(), e.key(name), r, c)
	if err != nil {
		return nil, o, err
	}
	data, err := io.ReadAll(body)
	if err := body.Close(); err != nil {
		e.Errorf("close body of %q: %v", name, err)
	}
	return data, o, err
}

// wantObject asserts what is stored under name.
func (e *env) wantObject(name string, data []byte) store.Object {
	e.Helper()
	got, o, err := e.get(name, store.All, store.Cond{})
	switch {
	case err != nil:
		e.Errorf("get %q: %v", name, err)
	case !bytes.Equal(got, data):
		e.Errorf("%q holds %s, want %s", name, brief(got), brief(data))
	case o.Size != int64(len(data)) || o.Key != e.key(name):
		e.Errorf("get %q: key %q, size %d, want %d", name, o.Key, o.Size, len(data))
	}
	return o
}

func (e *env) wantString(name, data string) store.Object {
	e.Helper()
	return e.wantObject(name, []byte(data))
}

// wantAbsent asserts that there is no such object, by listing.
func (e *env) wantAbsent(name string) {
	e.Helper()
	for p, err := range e.s.List(e.Context(), e.key(name), store.ListOptions{PageSize: 1}) {
		if err != nil {
			e.Errorf("list %q: %v", name, err)
		}
		if len(p.Objects) > 0 && p.Objects[0].Key == e.key(name) {
			e.Errorf("%q exists", name)
		}
		return
	}
}

// wantKind asserts that err is a *store.Error of one of the kinds, whose outcome
// is known.
func (e *env) wantKind(what string, err error, kinds ...error) {
	e.Helper()
	if !slices.ContainsFunc(kinds, func(k error) bool { return errors.Is(err, k) }) {
		e.Errorf("%s: error is %v, want %v", what, err, kinds)
		return
	}
	se, ok := errors.AsType[*store.Error](err)
	switch {
	case !ok:
		e.Errorf("%s: error is a %T, want *store.Error", what, err)
	case se.Kind == nil || se.Op == "":
		e.Errorf("%s: error without kind or op: %+v", what, *se)
	case se.Unanswered && !errors.Is(err, store.ErrTransient):
		e.Errorf("%s: an answer of the store is marked unanswered: %v", what, err)
	}
}

func brief(data []byte) string {
	if len(data) > 40 {
		return fmt.Sprintf("%q… (%d bytes)", data[:20], len(data))
	}
	return fmt.Sprintf("%q", data)
}

// maxListed is more than any test stores.
const maxListed = 10_000

// listing collects a whole listing.
func (e *env) listing(prefix string, o store.ListOptions) (objects []store.Object, keys, prefixes []string) {
	e.Helper()
	for p, err := range e.s.List(e.Context(), e.key(prefix), o) {
		if err != nil {
			e.Fatalf("list %q: %v", prefix, err)
		}
		for _, obj := range p.Objects {
			objects, keys = append(objects, obj), append(keys, obj.Key)
		}
		prefixes = append(prefixes, p.Prefixes...)
		if len(keys)+len(prefixes) > maxListed {
			e.Fatalf("list %q: has no end", prefix)
		}
	}
	return objects, e.names(keys), e.names(prefixes)
}

// empty removes everything below prefix.
func empty(t *testing.T, s store.Store, prefix string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context()) // the test's own has ended
	var keys []string
	for p, err := range s.List(ctx, prefix, store.ListOptions{}) {
		if err != nil {
			t.Errorf("cleaning up: %v", err)
			return
		}
		for _, o := range p.Objects {
			keys = append(keys, o.Key)
		}
	}
	slices.Reverse(keys) // directories of servers with files after what is in them
	for batch := range slices.Chunk(keys, s.Limits().MaxDelete) {
		if _, err := s.DeleteMany(ctx, batch); err != nil {
			t.Errorf("cleaning up: %v", err)
		}
	}
}
