package amplify

import (
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/store"
)

// version is a major version of the client: how an app of it is started, and how it names an object of public/.
type version struct {
	name  string
	start func(t *testing.T, options ...string) *app
	at    func(name string) args
	// keeps are the options of its uploads that there are.
	keeps []string
}

func versions() []version {
	return []version{
		{
			"v5", func(t *testing.T, options ...string) *app { t.Helper(); return newApp(t, v5, options...) },
			func(name string) args { return args{"key": name} },
			[]string{"contentType", "cacheControl", "contentDisposition", "contentEncoding", "expires", "metadata", "tagging"},
		},
		{
			"v6", newV6,
			func(name string) args { return args{"path": "public/" + name} },
			[]string{"contentType", "contentDisposition", "contentEncoding", "metadata"}, // StorageBrowser's path drops cacheControl
		},
	}
}

func (v version) args(name string, more args) args {
	all := v.at(name)
	maps.Copy(all, more)
	return all
}

const expires = "Wed, 21 Oct 2043 07:28:00 GMT"

// given are options as the clients name them, with the header and the attribute that each is.
func given() map[string]struct {
	value any
	of    func(store.Headers) string
	xattr string
	want  string
} {
	type header = struct {
		value any
		of    func(store.Headers) string
		xattr string
		want  string
	}
	return map[string]header{
		"contentType":        {"text/x-app", func(h store.Headers) string { return h.ContentType }, "user.s3.content-type", "text/x-app"},
		"cacheControl":       {"max-age=60", func(h store.Headers) string { return h.CacheControl }, "user.s3.cache-control", "max-age=60"},
		"contentDisposition": {`attachment; filename="a b"`, func(h store.Headers) string { return h.ContentDisposition }, "user.s3.content-disposition", `attachment; filename="a b"`},
		"contentEncoding":    {"identity", func(h store.Headers) string { return h.ContentEncoding }, "user.s3.content-encoding", "identity"},
		"expires":            {"2043-10-21T07:28:00Z", func(h store.Headers) string { return h.Expires }, "user.s3.expires", expires},
		"metadata":           {map[string]string{"author": "me & you"}, func(h store.Headers) string { return h.Metadata["author"] }, "user.meta.author", "me & you"},
		"tagging":            {"a=1&b=2", func(h store.Headers) string { return h.Tags }, "user.s3.tags", "a=1&b=2"},
	}
}

// flags are the same options, and the one that no client has, for put and the mount.
func flags() []string {
	return []string{
		"--content-type", "text/x-app", "--cache-control", "max-age=60", "--content-disposition", `attachment; filename="a b"`,
		"--content-encoding", "identity", "--content-language", "de", "--expires", "2043-10-21T07:28:00Z", "--metadata", "author=me+%26+you", "--tags", "a=1&b=2",
	}
}

// TestClientsWrite: what the clients store, with each option that they have, also in parts and by copies, is got with the same bytes by get
// and by the mount, and has its headers as attributes.
func TestClientsWrite(t *testing.T) {
	const large = 6 << 20 // bytes: more than what the clients send in one request
	for _, v := range versions() {
		t.Run(v.name, func(t *testing.T) {
			a := v.start(t)
			options := args{}
			for _, name := range v.keeps {
				options[name] = given()[name].value
			}
			for i, name := range names() {
				a.call(t, "put", v.args(name, args{"body": encoded(name), "options": options}), nil)
				a.wantHeaders(t, "public/"+name, v.keeps)
				a.wantBoth(t, name, []byte(name))
				to := fmt.Sprintf("copies/%d", i) // a name that needs no escaping, which the clients leave to the caller
				if url := strings.ContainsAny(name, "+%&=#?'\"日ü(~"); !url {
					a.call(t, "copy", v.copyArgs(name, to), nil)
					a.wantHeaders(t, "public/"+to, v.keeps)
					a.wantBoth(t, to, []byte(name))
				}
			}
			a.call(t, "putPattern", v.args("large file.bin", args{"size": large, "options": options}), nil)
			a.wantBoth(t, "large file.bin", pattern(large))
			a.Unmount(t)
		})
	}
}

func (v version) copyArgs(from, to string) args {
	if v.name == "v6" {
		return args{"from": "public/" + from, "to": "public/" + to}
	}
	return args{"from": args{"key": from, "level": "public"}, "to": args{"key": to, "level": "public"}}
}

// wantBoth reads an object through the mount and by get.
func (a *app) wantBoth(t *testing.T, name string, want []byte) {
	t.Helper()
	wantFile(t, filepath.Join(a.Dir, "public", name), want)
	file := filepath.Join(t.TempDir(), "got")
	if _, stderr, code := a.Run(t, "get", "--", name, file); code != 0 {
		t.Errorf("get %q: exit %d: %s", name, code, stderr)
		return
	}
	wantFile(t, file, want)
}

// wantHeaders finds the given headers in the bucket and as attributes of the file.
func (a *app) wantHeaders(t *testing.T, key string, names []string) {
	t.Helper()
	o, err := a.store.Head(t.Context(), key, store.Cond{})
	must(t, err)
	for _, name := range names {
		h := given()[name]
		if got := h.of(*o.Headers); got != h.want {
			t.Errorf("%s: %s is %q, want %q", key, name, got, h.want)
		}
		value := make([]byte, 1000)
		n, err := unix.Getxattr(filepath.Join(a.Dir, key), h.xattr, value)
		if got := string(value[:max(n, 0)]); err != nil || got != h.want {
			t.Errorf("%s: %s is %q, %v, want %q", key, h.xattr, got, err, h.want)
		}
	}
}

// TestClientsReadHeaders: what put and the mount store with each option has it in a HEAD, and the clients read bytes and properties.
func TestClientsReadHeaders(t *testing.T) {
	for _, v := range versions() {
		t.Run(v.name, func(t *testing.T) {
			a := v.start(t, flags()...)
			file := filepath.Join(t.TempDir(), "file")
			must(t, os.WriteFile(file, []byte("content"), 0o600))
			for _, name := range names() {
				by := map[string]string{"put " + name: "", "mount " + name: ""}
				must(t, os.MkdirAll(filepath.Dir(filepath.Join(a.Dir, "public", "mount "+name)), 0o700))
				must(t, os.WriteFile(filepath.Join(a.Dir, "public", "mount "+name), []byte("content"), 0o600))
				if _, stderr, code := a.Run(t, append(append([]string{"put"}, flags()...), "--", file, "put "+name)...); code != 0 {
					t.Fatalf("put %q: exit %d: %s", name, code, stderr)
				}
				a.sync(t)
				for name := range by {
					a.wantProperties(t, v, name)
				}
			}
			a.Unmount(t)
		})
	}
}

func (a *app) wantProperties(t *testing.T, v version, name string) {
	t.Helper()
	o, err := a.store.Head(t.Context(), "public/"+name, store.Cond{})
	must(t, err)
	for option, h := range given() {
		if got := h.of(*o.Headers); got != h.want {
			t.Errorf("%s: %s is %q, want %q", name, option, got, h.want)
		}
	}
	if o.Headers.ContentLanguage != "de" {
		t.Errorf("%s: the language is %q", name, o.Headers.ContentLanguage)
	}
	var body string
	a.call(t, "get", v.args(name, nil), &body)
	if body != encoded("content") {
		t.Errorf("%s: the app reads other bytes", name)
	}
	var got struct {
		ContentType, ETag   string
		ContentLength, Size int
		Metadata            map[string]string
	}
	a.call(t, "properties", v.args(name, nil), &got)
	if got.ContentType != "text/x-app" || got.ContentLength+got.Size != len("content") || strings.Trim(got.ETag, `"`) != strings.Trim(o.ETag, `"`) || got.Metadata["author"] != "me & you" {
		t.Errorf("%s: %+v", name, got)
	}
}

// answer is what an HTTP client was told.
type answer struct {
	Status int
	Body   string
	Type   string
}

// TestPresignedURLs: URLs of url, for GET and PUT, and of the attribute of a file open with plain HTTP clients, fetch of Node and net/http, and are
// refused by the server after their time.
func TestPresignedURLs(t *testing.T) {
	a := newApp(t, v5)
	for _, name := range names() {
		put := strings.TrimSpace(a.mustRun(t, "url", "--method", "put", "--content-type", "text/x-up", "--", name))
		for _, client := range a.clients() {
			body := client.name + name
			if got := client.ask(t, args{"url": put, "method": "PUT", "headers": map[string]string{"content-type": "text/x-up"}, "body": encoded(body)}); got.Status != http.StatusOK {
				t.Errorf("%s puts %q: %+v", client.name, name, got)
			}
			value := make([]byte, 4096)
			n, err := unix.Getxattr(filepath.Join(a.Dir, "public", name), "user.s3levelfs.url", value)
			must(t, err)
			for _, url := range []string{strings.TrimSpace(a.mustRun(t, "url", "--", name)), string(value[:n])} {
				want := answer{http.StatusOK, encoded(body), "text/x-up"}
				if diff := cmp.Diff(want, client.ask(t, args{"url": url, "method": "GET"})); diff != "" {
					t.Errorf("%s gets %q (-want +got): %s", client.name, name, diff)
				}
			}
		}
	}
	for _, method := range []string{"GET", "PUT"} {
		short := strings.TrimSpace(a.mustRun(t, "url", "--method", strings.ToLower(method), "--expires", "1", "--", "plain.txt"))
		for _, client := range a.clients() {
			deadline := time.Now().Add(time.Minute)
			for client.ask(t, args{"url": short, "method": method}).Status != http.StatusForbidden {
				if time.Now().After(deadline) {
					t.Fatalf("%s: a %s of 1 s is answered after a minute", client.name, method)
				}
			}
		}
	}
	a.Unmount(t)
}

func (a *app) mustRun(t *testing.T, command ...string) string {
	t.Helper()
	out, stderr, code := a.Run(t, command...)
	if code != 0 {
		t.Fatalf("%q: exit %d: %s", command, code, stderr)
	}
	return out
}

type httpClient struct {
	name string
	ask  func(t *testing.T, in args) answer
}

func (a *app) clients() []httpClient {
	return []httpClient{
		{"fetch", func(t *testing.T, in args) (out answer) { t.Helper(); a.call(t, "fetch", in, &out); return out }},
		{"net/http", askNet},
	}
}

// askNet does by net/http what fetch.cjs does.
func askNet(t *testing.T, in args) answer {
	t.Helper()
	method, _ := in["method"].(string)
	url, _ := in["url"].(string)
	text, _ := in["body"].(string)
	body, err := base64.StdEncoding.DecodeString(text)
	must(t, err)
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(string(body)))
	must(t, err)
	if headers, ok := in["headers"].(map[string]string); ok {
		for name, value := range headers {
			r.Header.Set(name, value)
		}
	}
	resp, err := http.DefaultClient.Do(r)
	must(t, err)
	defer func() { _ = resp.Body.Close() }()
	got, err := io.ReadAll(resp.Body)
	must(t, err)
	return answer{resp.StatusCode, base64.StdEncoding.EncodeToString(got), resp.Header.Get("Content-Type")}
}
