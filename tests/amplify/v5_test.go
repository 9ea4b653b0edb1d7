package amplify

import (
	"encoding/base64"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/tests/rig"
)

const v5 = "v5.cjs"

// names are keys that clients encode in different ways.
func names() []string {
	return []string{
		"plain.txt", "with space.txt", "a+b & c=d.txt", "grüße-日本.txt", "100%.txt", "%20literal.txt", "deep/er/name (1).txt", "quote'\"#?;.txt", "~tilde*.txt",
	}
}

type listing struct {
	Results []struct {
		Key          string
		ETag         string
		Size         int64
		LastModified string
	}
	HasNextToken bool
}

func (l listing) sizes() map[string]int64 {
	all := map[string]int64{}
	for _, r := range l.Results {
		all[r.Key] = r.Size
	}
	return all
}

func encoded(body string) string { return base64.StdEncoding.EncodeToString([]byte(body)) }

// TestV5WritesMountReads: what an app puts is in the mount under the same name, with the same bytes; its headers survive a change by a program.
func TestV5WritesMountReads(t *testing.T) {
	a := newApp(t, v5)
	options := args{
		"contentType": "text/x-app", "cacheControl": "max-age=60", "contentDisposition": "inline", "metadata": map[string]string{"Owner": "app"},
	}
	for _, name := range names() {
		var put struct{ Key string }
		a.call(t, "put", args{"key": name, "body": encoded("app " + name), "options": options}, &put)
		if put.Key != name {
			t.Errorf("put has returned the key %q for %q", put.Key, name)
		}
		path := filepath.Join(a.Dir, "public", name)
		wantFile(t, path, []byte("app "+name))
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		must(t, err)
		_, err = f.WriteString(" and more")
		must(t, err)
		must(t, f.Close())
	}
	a.sync(t)
	for _, name := range names() {
		var got string
		a.call(t, "get", args{"key": name}, &got)
		if got != encoded("app "+name+" and more") {
			t.Errorf("%s: the app reads other bytes", name)
		}
		o, err := a.store.Head(t.Context(), "public/"+name, store.Cond{})
		must(t, err)
		if o.Headers.ContentType != "text/x-app" || o.Headers.CacheControl != "max-age=60" || o.Headers.ContentDisposition != "inline" || o.Headers.Metadata["owner"] != "app" {
			t.Errorf("%s: %+v", name, o.Headers)
		}
	}
	a.Unmount(t)
}

// TestV5ReadsWhatTheMountWrote: an app lists and reads the files of a mount; type and metadata are there.
func TestV5ReadsWhatTheMountWrote(t *testing.T) {
	a := newApp(t, v5)
	want := map[string]int64{}
	for _, name := range names() {
		path := filepath.Join(a.Dir, "public", name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o700))
		must(t, os.WriteFile(path, []byte("mount "+name), 0o640))
		want[name] = int64(len("mount " + name))
	}
	a.sync(t)
	var all listing
	a.call(t, "list", args{"path": "", "options": args{"pageSize": 1000}}, &all)
	got := all.sizes()
	maps.DeleteFunc(got, func(key string, _ int64) bool { return strings.HasSuffix(key, "/") }) // directories
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keys (-want +got): %s", diff)
	}
	for _, name := range names() {
		var body string
		a.call(t, "get", args{"key": name}, &body)
		if body != encoded("mount "+name) {
			t.Errorf("%s: the app reads other bytes", name)
		}
		var p struct {
			ContentType   string
			ContentLength int64
			ETag          string
			Metadata      map[string]string
		}
		a.call(t, "properties", args{"key": name}, &p)
		if !strings.HasPrefix(p.ContentType, "text/plain") || p.ContentLength != want[name] || p.ETag == "" || p.Metadata["mode"] == "" {
			t.Errorf("%s: %+v", name, p)
		}
	}
	a.Unmount(t)
}

// TestV5Removes: what one side removes is gone for the other.
func TestV5Removes(t *testing.T) {
	a := newApp(t, v5)
	for _, name := range []string{"kept", "by app", "by mount"} {
		a.call(t, "put", args{"key": name, "body": encoded(name)}, nil)
	}
	a.call(t, "remove", args{"key": "by app"}, nil)
	must(t, os.Remove(filepath.Join(a.Dir, "public", "by mount")))
	a.sync(t)
	entries, err := os.ReadDir(filepath.Join(a.Dir, "public"))
	must(t, err)
	if len(entries) != 1 || entries[0].Name() != "kept" {
		t.Errorf("the mount shows %v", entries)
	}
	var all listing
	a.call(t, "list", args{"path": ""}, &all)
	if got := slices.Collect(maps.Keys(all.sizes())); !slices.Equal(got, []string{"kept"}) {
		t.Errorf("the app lists %v", got)
	}
	if err := a.try(t, "get", args{"key": "by mount"}, nil); err == nil {
		t.Error("the app reads what the mount has removed")
	}
	a.Unmount(t)
}

// TestV5Levels: levels, the vault and copies between them are the mount's directories.
func TestV5Levels(t *testing.T) {
	a := newApp(t, v5)
	a.call(t, "vaultPut", args{"key": "v.txt", "body": encoded("vault")}, nil)
	wantFile(t, filepath.Join(a.Dir, "private", "v.txt"), []byte("vault"))
	a.call(t, "put", args{"key": "p.txt", "body": encoded("protected"), "options": args{"level": "protected"}}, nil)
	wantFile(t, filepath.Join(a.Dir, "protected", "me", "p.txt"), []byte("protected"))
	wantFile(t, filepath.Join(a.Dir, "protected", rig.Identity, "p.txt"), []byte("protected"))
	a.call(t, "copy", args{"from": args{"key": "v.txt", "level": "private"}, "to": args{"key": "copy.txt", "level": "public"}}, nil)
	wantFile(t, filepath.Join(a.Dir, "public", "copy.txt"), []byte("vault"))

	must(t, os.WriteFile(filepath.Join(a.Dir, "private", "from mount"), []byte("mine"), 0o600))
	must(t, os.WriteFile(filepath.Join(a.Dir, "protected", "me", "shared"), []byte("ours"), 0o600))
	a.sync(t)
	var body string
	a.call(t, "vaultGet", args{"key": "from mount"}, &body)
	if body != encoded("mine") {
		t.Error("the vault reads other bytes")
	}
	var all listing
	a.call(t, "vaultList", args{"path": ""}, &all)
	if diff := cmp.Diff(map[string]int64{"v.txt": 5, "from mount": 4}, all.sizes()); diff != "" {
		t.Errorf("vault (-want +got): %s", diff)
	}
	a.call(t, "get", args{"key": "shared", "options": args{"level": "protected", "identityId": rig.Identity}}, &body)
	if body != encoded("ours") {
		t.Error("protected: the app reads other bytes")
	}
	a.Unmount(t)
}

// TestV5Multipart: 12 MiB, which both sides send in parts.
func TestV5Multipart(t *testing.T) {
	a := newApp(t, v5)
	const size = 12 << 20
	a.call(t, "putPattern", args{"key": "large.bin", "size": size, "options": args{"contentType": "application/x-large", "metadata": map[string]string{"n": "1"}}}, nil)
	path := filepath.Join(a.Dir, "public", "large.bin")
	wantFile(t, path, pattern(size))
	must(t, os.WriteFile(filepath.Join(a.Dir, "public", "own.bin"), pattern(size), 0o600))
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteAt([]byte("changed"), 6<<20)
	must(t, err)
	must(t, f.Close())
	a.sync(t)
	want := pattern(size)
	var body string
	a.call(t, "get", args{"key": "own.bin"}, &body)
	if body != base64.StdEncoding.EncodeToString(want) {
		t.Error("own.bin: the app reads other bytes")
	}
	copy(want[6<<20:], "changed")
	a.call(t, "get", args{"key": "large.bin"}, &body)
	if body != base64.StdEncoding.EncodeToString(want) {
		t.Error("large.bin: the app reads other bytes")
	}
	o, err := a.store.Head(t.Context(), "public/large.bin", store.Cond{})
	must(t, err)
	if o.Headers.ContentType != "application/x-large" || o.Headers.Metadata["n"] != "1" {
		t.Errorf("large.bin: %+v", o.Headers)
	}
	a.Unmount(t)
}

// TestV5CustomPrefixes: prefixes are used verbatim by both, without a slash that nobody gave, whatever characters they have.
func TestV5CustomPrefixes(t *testing.T) {
	for name, prefixes := range map[string]map[string]string{
		"ascii":   {"public": "myPublicPrefix/", "protected": "myProtectedPrefix/", "private": "myPrivatePrefix"},
		"unicode": {"public": "für alle + 100%/", "protected": "geschützt & 日本 ", "private": "privé é/"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t, v5, "--public-prefix", prefixes["public"], "--protected-prefix", prefixes["protected"], "--private-prefix", prefixes["private"])
			a.call(t, "configure", args{"customPrefix": prefixes}, nil)
			for level, dir := range map[string]string{"public": "public", "protected": "protected/me", "private": "private"} {
				a.call(t, "put", args{"key": "app é.txt", "body": encoded(level), "options": args{"level": level}}, nil)
				wantFile(t, filepath.Join(a.Dir, dir, "app é.txt"), []byte(level))
				must(t, os.WriteFile(filepath.Join(a.Dir, dir, "mount.txt"), []byte("m "+level), 0o600))
			}
			a.sync(t)
			for level, prefix := range prefixes {
				var body string
				a.call(t, "get", args{"key": "mount.txt", "options": args{"level": level}}, &body)
				if body != encoded("m "+level) {
					t.Errorf("%s: the app reads other bytes", level)
				}
				if level != "public" {
					prefix += rig.Identity + "/"
				}
				if _, err := a.store.Head(t.Context(), prefix+"mount.txt", store.Cond{}); err != nil {
					t.Error(err)
				}
			}
			a.Unmount(t)
		})
	}
}
