package s3store_test

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/s3store"
)

// A probe's body is not what its digest says, and each answer means one thing.
func TestProbePut(t *testing.T) {
	for _, tt := range []struct {
		status int
		code   string
		stored bool
		kind   error
	}{
		{200, "", true, nil},
		{400, "BadDigest", false, nil},
		{412, "PreconditionFailed", false, nil},
		{404, "NoSuchKey", false, nil},
		{403, "AccessDenied", false, store.ErrPermission},
		{404, "NoSuchBucket", false, store.ErrNoBucket},
		{400, "InvalidRequest", false, store.ErrInvalid},
		{503, "SlowDown", false, store.ErrThrottled},
	} {
		f := newFake(t, func(w http.ResponseWriter, _ *http.Request) { refuse(w, tt.status, tt.code) })
		stored, err := open(t, f.URL).ProbePut(t.Context(), "p/.probe", store.Cond{IfNoneMatch: true})
		if stored != tt.stored || !errors.Is(err, tt.kind) {
			t.Errorf("%d %s: %v, %v", tt.status, tt.code, stored, err)
		}
		asked := f.requests()
		if len(asked) != 1 {
			t.Fatalf("%d requests", len(asked))
		}
		if h := asked[0].Header; h.Get("Content-Md5") != "1B2M2Y8AsgTpgAmY7PhCfg==" || asked[0].body == "" || h.Get("If-None-Match") != "*" {
			t.Errorf("%v %q", h, asked[0].body)
		}
	}
}

func TestBucketExists(t *testing.T) {
	for _, tt := range []struct {
		status int
		there  bool
		kind   error
	}{{200, true, nil}, {404, false, nil}, {403, false, store.ErrPermission}} {
		f := newFake(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(tt.status) })
		if there, err := open(t, f.URL).BucketExists(t.Context()); there != tt.there || !errors.Is(err, tt.kind) {
			t.Errorf("%d: %v, %v", tt.status, there, err)
		}
	}
}

// The region is named in the body but for us-east-1, which S3 refuses there.
func TestCreateBucket(t *testing.T) {
	for region, body := range map[string]string{"us-east-1": "", "eu-west-1": "<LocationConstraint>eu-west-1</LocationConstraint>"} {
		f := newFake(t, func(w http.ResponseWriter, _ *http.Request) { refuse(w, 409, "BucketAlreadyOwnedByYou") })
		s := open(t, f.URL, func(c *s3store.Config) { c.Region = region })
		if err := s.CreateBucket(t.Context()); err != nil {
			t.Error(err)
		}
		if got := f.requests()[0].body; !strings.Contains(got, body) || body == "" && got != "" {
			t.Errorf("%s: %q", region, got)
		}
	}
	f := newFake(t, func(w http.ResponseWriter, _ *http.Request) { refuse(w, 409, "BucketAlreadyExists") })
	if err := open(t, f.URL).CreateBucket(t.Context()); err == nil {
		t.Error("somebody else's bucket was taken for ours")
	}
}

// keeper answers a GET with what was PUT last.
func keeper(t *testing.T, text, absent string) *fake {
	t.Helper()
	return newFake(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPut:
			w.WriteHeader(http.StatusOK)
		case text == "":
			refuse(w, http.StatusNotFound, absent)
		default:
			_, _ = io.WriteString(w, text)
		}
	})
}

func TestCORSRules(t *testing.T) {
	f := keeper(t, "", "NoSuchCORSConfiguration")
	if rules, err := open(t, f.URL).CORS(t.Context()); err != nil || rules != nil {
		t.Errorf("%v, %v", rules, err)
	}
	const text = `<CORSConfiguration><CORSRule><ID>a</ID><AllowedHeader>x</AllowedHeader><AllowedMethod>GET</AllowedMethod>` +
		`<AllowedMethod>PUT</AllowedMethod><AllowedOrigin>https://a</AllowedOrigin><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>0</MaxAgeSeconds></CORSRule>` +
		`<CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin></CORSRule></CORSConfiguration>`
	f = keeper(t, text, "")
	s := open(t, f.URL)
	rules, err := s.CORS(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []s3store.CORSRule{
		{ID: "a", AllowedHeaders: []string{"x"}, AllowedMethods: []string{"GET", "PUT"}, AllowedOrigins: []string{"https://a"}, ExposeHeaders: []string{"ETag"}, MaxAgeSeconds: new(int32)},
		{AllowedMethods: []string{"GET"}, AllowedOrigins: []string{"*"}},
	}
	if diff := cmp.Diff(want, rules); diff != "" {
		t.Error(diff)
	}
	if err := s.PutCORS(t.Context(), rules); err != nil {
		t.Fatal(err)
	}
	sent := f.requests()[1].body
	for _, part := range []string{"<ID>a</ID>", "<MaxAgeSeconds>0</MaxAgeSeconds>", "<AllowedOrigin>https://a</AllowedOrigin>", "<ExposeHeader>ETag</ExposeHeader>", "<AllowedMethod>PUT</AllowedMethod>"} {
		if !strings.Contains(sent, part) {
			t.Errorf("%s was lost: %s", part, sent)
		}
	}
}

// What others' lifecycle rules say stays, whatever it is.
func TestLifecycleKeepsOthersRules(t *testing.T) {
	f := keeper(t, "", "NoSuchLifecycleConfiguration")
	l, err := open(t, f.URL).Lifecycle(t.Context())
	if _, ok := l.AbortsAfter(); err != nil || ok || l.Len() != 0 {
		t.Errorf("%+v, %v", l, err)
	}
	const text = `<LifecycleConfiguration><Rule><ID>logs</ID><Filter><And><Prefix>logs/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter>` +
		`<Status>Enabled</Status><Transition><Days>30</Days><StorageClass>GLACIER</StorageClass></Transition>` +
		`<NoncurrentVersionExpiration><NoncurrentDays>9</NoncurrentDays><NewerNoncurrentVersions>3</NewerNoncurrentVersions></NoncurrentVersionExpiration></Rule>` +
		`<Rule><ID>part</ID><Filter><Prefix>public/</Prefix></Filter><Status>Enabled</Status><AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>` +
		`<Rule><ID>off</ID><Filter/><Status>Disabled</Status><AbortIncompleteMultipartUpload><DaysAfterInitiation>2</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>` +
		`</LifecycleConfiguration>`
	f = keeper(t, text, "")
	s := open(t, f.URL)
	if l, err = s.Lifecycle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, ok := l.AbortsAfter(); ok || l.Len() != 3 {
		t.Errorf("rules of a part of the bucket, or that are off, were taken for one of all of it: %+v", l)
	}
	l = l.WithAbort("ours", 5).WithAbort("ours", 7)
	if days, ok := l.AbortsAfter(); !ok || days != 7 || l.Len() != 4 {
		t.Errorf("%d, %v, %d rules", days, ok, l.Len())
	}
	if err := s.PutLifecycle(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	sent := f.requests()[1].body
	for _, part := range []string{
		"<Prefix>logs/</Prefix>", "<Key>k</Key>", "<Days>30</Days>", "<StorageClass>GLACIER</StorageClass>", "<NewerNoncurrentVersions>3</NewerNoncurrentVersions>",
		"<ID>off</ID>", "<Status>Disabled</Status>", "<DaysAfterInitiation>7</DaysAfterInitiation>",
	} {
		if !strings.Contains(sent, part) {
			t.Errorf("%s was lost: %s", part, sent)
		}
	}
}

// Old servers want the older checksum with a configuration.
func TestConfigurationsHaveADigest(t *testing.T) {
	for checksums, header := range map[string]string{s3store.ChecksumsSupported: "X-Amz-Checksum-Crc32", s3store.ChecksumsRequired: "Content-Md5"} {
		f := keeper(t, "", "")
		s := open(t, f.URL, func(c *s3store.Config) { c.Checksums = checksums })
		if err := errors.Join(s.PutCORS(t.Context(), []s3store.CORSRule{{AllowedMethods: []string{"GET"}, AllowedOrigins: []string{"*"}}}),
			s.PutLifecycle(t.Context(), s3store.Lifecycle{}.WithAbort("x", 7))); err != nil {
			t.Fatal(err)
		}
		for _, r := range f.requests() {
			if r.Header.Get(header) == "" {
				t.Errorf("%s: %v", checksums, r.Header)
			}
		}
	}
}

func TestPreflight(t *testing.T) {
	answer := http.Header{}
	status := http.StatusOK
	f := newFake(t, func(w http.ResponseWriter, _ *http.Request) {
		maps.Copy(w.Header(), answer)
		w.WriteHeader(status)
	})
	s := open(t, f.URL)
	p := s3store.Preflight{Origin: "https://app.example", Method: "PUT", Headers: []string{"Authorization", "x-amz-date"}}
	ask := func(want bool) {
		t.Helper()
		got, err := s.Ask(t.Context(), "public/a b", p)
		if err != nil || got.Allowed != want {
			t.Errorf("%v: %+v, %v", answer, got, err)
		}
	}
	ask(false)
	answer.Set("Access-Control-Allow-Origin", "https://app.example")
	answer.Set("Access-Control-Allow-Methods", "GET, PUT")
	ask(false)
	answer.Set("Access-Control-Allow-Headers", "*") // a star does not stand for Authorization
	ask(false)
	answer.Set("Access-Control-Allow-Headers", "authorization, X-Amz-Date")
	ask(true)
	answer.Set("Access-Control-Allow-Origin", "https://other.example")
	ask(false)
	answer.Set("Access-Control-Allow-Origin", "*")
	answer.Set("Access-Control-Expose-Headers", "ETag,  x-amz-meta-a")
	ask(true)
	got, err := s.Ask(t.Context(), "k", p)
	if diff := cmp.Diff([]string{"ETag", "x-amz-meta-a"}, got.Exposed); diff != "" || err != nil {
		t.Error(diff, err)
	}
	status = http.StatusForbidden
	ask(false)
	r := f.requests()[0]
	if r.Method != http.MethodOptions || r.URL.EscapedPath() != "/bucket/public/a%20b" || r.URL.RawQuery != "" || r.Header.Get("Authorization") != "" ||
		r.Header.Get("Origin") != p.Origin || r.Header.Get("Access-Control-Request-Headers") != "authorization,x-amz-date" {
		t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
	}
	for code, says := range map[int]string{500: "500 Internal Server Error", 301: "301 Moved Permanently: check --region"} {
		status = code
		if _, err := s.Ask(t.Context(), "k", p); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%d is no answer: %v", code, err)
		}
	}
}

func TestUnsupported(t *testing.T) {
	f := newFake(t, func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusNotImplemented, "NotImplemented") })
	if _, err := open(t, f.URL).Lifecycle(t.Context()); !s3store.Unsupported(err) {
		t.Error(err)
	}
	if s3store.Unsupported(errors.New("x")) {
		t.Error("any error is taken for a server's")
	}
}
