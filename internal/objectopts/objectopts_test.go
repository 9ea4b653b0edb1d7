package objectopts_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/internal/objectopts"
	"github.com/s3levelfs/s3levelfs/store"
)

var now = time.Date(2026, 11, 26, 12, 0, 0, 0, time.FixedZone("here", 3600)) //nolint:gochecknoglobals // a constant

func TestExpires(t *testing.T) {
	t.Parallel()
	const want = "Tue, 01 Jan 2030 00:00:00 GMT"
	for text, want := range map[string]string{
		"": "", "2030-01-01": want, "2030-01-01T00:00:00Z": want, "2030-01-01T01:00:00+01:00": want, "2030-01-01T00:00:00.000Z": want,
		"2030-01-01T00:00": want, want: want, "1893456000": want, "1893456000000": want, "100000000000": "Wed, 16 Nov 5138 09:46:40 GMT",
		"+7d": "Thu, 03 Dec 2026 11:00:00 GMT", "+1w": "Thu, 03 Dec 2026 11:00:00 GMT", "+90m": "Thu, 26 Nov 2026 12:30:00 GMT",
		"0": "Thu, 01 Jan 1970 00:00:00 GMT",
	} {
		e, err := objectopts.ParseExpires(text)
		if got := e.At(now); err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"tomorrow", "+", "+0d", "+-1h", "-1h", "+7y", "-1", "2030-13-01", "9999999999999999", "+99999w", "1e9"} {
		if e, err := objectopts.ParseExpires(text); err == nil {
			t.Errorf("%q: %s", text, e.At(now))
		}
	}
}

func full() map[string]string {
	return map[string]string{
		"content-type": "text/css", "cache-control": "max-age=60", "content-disposition": "inline", "content-encoding": "gzip", "content-language": "de",
		"expires": "+7d", "metadata": "Author=me&note=a%26b", "tags": "b=2&a=1", "storage-class": "STANDARD_IA", "acl": "public-read",
		"sse": "aws:kms", "sse-kms-key-id": "arn:k", "bucket-key": "true",
	}
}

func fullHeaders() store.Headers {
	return store.Headers{
		ContentType: "text/css", CacheControl: "max-age=60", ContentDisposition: "inline", ContentEncoding: "gzip", ContentLanguage: "de",
		Expires: "Thu, 03 Dec 2026 11:00:00 GMT", Metadata: map[string]string{"author": "me", "note": "a&b"}, Tags: "a=1&b=2",
		StorageClass: "STANDARD_IA", ACL: "public-read", SSE: "aws:kms", SSEKMSKeyID: "arn:k", BucketKey: true,
	}
}

// TestOptions: each option is the header of its name.
func TestOptions(t *testing.T) {
	t.Parallel()
	if len(full()) != len(objectopts.Names()) {
		t.Errorf("%d options are tested, there are %q", len(full()), objectopts.Names())
	}
	o, err := objectopts.Parse(full())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fullHeaders(), o.Headers(now)); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []map[string]string{
		{"content-type": "\u00fc"},
		{"cache-control": "a\nb"},
		{"expires": "soon"},

		{"metadata": "author"},
		{"metadata": "a=1&b"},
		{"metadata": "a b=c"},
		{"metadata": "a=1&A=2"},
		{"metadata": "a=" + strings.Repeat("x", 2048)},
		{"tags": "a=1&a=2"},
		{"storage-class": "COLD"},
		{"acl": "mine"},
		{"sse": "rot13"},
		{"sse-kms-key-id": "k"},
		{"bucket-key": "true"},
		{"bucket-key": "perhaps"},
		{"colour": "red"},
	} {
		_, err := objectopts.Parse(bad)
		for name := range bad {
			if err == nil || !strings.HasPrefix(err.Error(), name) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%.40v: %v", bad, err)
			}
		}
	}
}

// TestRules: of all rules that match the later one wins, option by option, and what it sets to nothing is nothing.
func TestRules(t *testing.T) {
	t.Parallel()
	parse := func(settings map[string]string) objectopts.Options {
		o, err := objectopts.Parse(settings)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	r, err := objectopts.New(parse(full()), []objectopts.Rule{
		{Match: "*.css", Options: parse(map[string]string{"cache-control": "css", "expires": ""})},
		{Match: "public/**/v?.css", Options: parse(map[string]string{"cache-control": "deep", "content-type": "x/y"})},
		{Match: "public/*", Options: parse(map[string]string{"metadata": "", "tags": "z=1"})},
		{Match: "[a].(b)", Options: parse(map[string]string{"cache-control": "literal"})},
	})
	if err != nil {
		t.Fatal(err)
	}
	for key, change := range map[string]func(*store.Headers){
		"private/x/a.txt":        func(*store.Headers) {},
		"private/x/a.css":        func(h *store.Headers) { h.CacheControl, h.Expires = "css", "" },
		"public/a/b/v1.css":      func(h *store.Headers) { h.CacheControl, h.Expires, h.ContentType = "deep", "", "x/y" },
		"public/a/b/v12.css":     func(h *store.Headers) { h.CacheControl, h.Expires = "css", "" },
		"public/a.css":           func(h *store.Headers) { h.CacheControl, h.Expires, h.Metadata, h.Tags = "css", "", nil, "z=1" },
		"private/public/a.c":     func(*store.Headers) {},
		"protected/x/[a].(b)":    func(h *store.Headers) { h.CacheControl = "literal" },
		"protected/x/a.css/b":    func(*store.Headers) {},
		"protected/x/line\n.css": func(h *store.Headers) { h.CacheControl, h.Expires = "css", "" },
	} {
		want := fullHeaders()
		change(&want)
		if diff := cmp.Diff(want, r.Headers(key, now)); diff != "" {
			t.Errorf("%q: %s", key, diff)
		}
	}
	if _, err := objectopts.New(objectopts.Options{}, []objectopts.Rule{{}}); err == nil {
		t.Error("a rule without a pattern")
	}
	if _, err := objectopts.New(parse(map[string]string{"sse": "AES256"}), []objectopts.Rule{{Match: "*", Options: parse(nil)}}); err != nil {
		t.Error(err)
	}
}
