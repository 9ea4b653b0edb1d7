package vfs_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/fs/vfs"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/op"
)

func setXattr(t tb, e *env, path, name, value string) {
	t.Helper()
	must(t, e.fs.SetXattr(bg(), vfs.Ref{Path: path}, name, []byte(value), 0))
}

func wantXattr(t tb, e *env, path, name, want string) {
	t.Helper()
	got, err := e.fs.GetXattr(bg(), vfs.Ref{Path: path}, name)
	if err != nil || string(got) != want {
		t.Errorf("%s of %s: %q, %v, want %q", name, path, got, err, want)
	}
}

func wantNoXattr(t tb, e *env, path, name string) {
	t.Helper()
	_, err := e.fs.GetXattr(bg(), vfs.Ref{Path: path}, name)
	wantErrno(t, err, syscall.ENODATA)
}

// objectXattrs are the attributes of the headers that a program may set, and what each becomes.
func objectXattrs() map[string]string {
	return map[string]string{
		"user.s3.content-type": "image/png", "user.s3.cache-control": "max-age=60", "user.s3.content-disposition": `attachment; filename="a b"`,
		"user.s3.content-encoding": "gzip", "user.s3.content-language": "de", "user.s3.expires": "Wed, 21 Oct 2043 07:28:00 GMT",
		"user.s3.storage-class": "STANDARD_IA", "user.s3.tags": "a=1&b=x+y", "user.meta.author": "me", "user.note": "50%",
	}
}

func wantObjectHeaders(t tb, e *env, key string) {
	t.Helper()
	raw, ok := e.mem.Object(key)
	if !ok {
		t.Fatalf("%s is not there", key)
	}
	h := raw.Headers
	for name := range h.Metadata {
		if name != "author" && name != "note" {
			delete(h.Metadata, name)
		}
	}
	want := store.Headers{
		ContentType: "image/png", CacheControl: "max-age=60", ContentDisposition: `attachment; filename="a b"`, ContentEncoding: "gzip",
		ContentLanguage: "de", Expires: "Wed, 21 Oct 2043 07:28:00 GMT", StorageClass: "STANDARD_IA", Tags: "a=1&b=x+y",
		Metadata: map[string]string{"author": "me", "note": "50%25"},
	}
	if diff := cmp.Diff(want, h); diff != "" {
		t.Errorf("headers (-want +got): %s", diff)
	}
}

// TestXattrsOfAStoredObject: each header of an object is set and removed by a copy on the server, all of a burst by one; nothing is downloaded.
func TestXattrsOfAStoredObject(t *testing.T) {
	e := newEnv(t, envConfig{})
	defer e.close(t)
	e.put(t, "public/f", []byte("somebody else's"))
	mustLookup(t, e, "public/f")
	e.mem.ResetCounts()
	for name, value := range objectXattrs() {
		setXattr(t, e, "public/f", name, value)
		wantXattr(t, e, "public/f", name, value)
	}
	e.drain(t)
	wantCounts(t, e, map[string]int{op.Head: 1, op.Copy: 1})
	wantObjectHeaders(t, e, "public/f")
	wantFile(t, e, "public/f", "somebody else's")
	e.mem.ResetCounts()

	for name := range objectXattrs() {
		must(t, e.fs.RemoveXattr(t.Context(), vfs.Ref{Path: "public/f"}, name))
		wantNoXattr(t, e, "public/f", name)
	}
	e.drain(t)
	wantCounts(t, e, map[string]int{op.Copy: 1})
	names, err := e.fs.ListXattr(t.Context(), vfs.Ref{Path: "public/f"})
	must(t, err)
	if len(names) > 0 {
		t.Errorf("left: %q", names)
	}
}

// TestXattrsOfALargeObject: what is too large for one copy is copied onto itself in parts, and nothing is downloaded either.
func TestXattrsOfALargeObject(t *testing.T) {
	limits := store.S3Limits()
	limits.MinPart, limits.MaxPut, limits.MaxCopy = 1, 1<<20, 1<<20
	e := newEnv(t, envConfig{memory: memstore.Config{Limits: limits}})
	defer e.close(t)
	data := strings.Repeat("x", 17<<20)
	e.put(t, "public/f", []byte(data))
	mustLookup(t, e, "public/f")
	e.mem.ResetCounts()
	for name, value := range objectXattrs() {
		setXattr(t, e, "public/f", name, value)
	}
	e.drain(t)
	wantCounts(t, e, map[string]int{op.Head: 1, op.Create: 1, op.CopyPart: 3, op.Complete: 1})
	wantObjectHeaders(t, e, "public/f")
	if e.objects(t)["public/f"] != data {
		t.Error("the bytes have changed")
	}
}

// TestXattrsOfAPendingFile: attributes of what is not uploaded yet change what is sent and cost nothing.
func TestXattrsOfAPendingFile(t *testing.T) {
	e := newEnv(t, envConfig{})
	defer e.close(t)
	listNames(t, e, "public")
	e.mem.ResetCounts()
	h, _, err := e.fs.Create(t.Context(), "public/f", syscall.O_CREAT|syscall.O_WRONLY, 0o644)
	must(t, err)
	write(t, h, "x", 0)
	for name, value := range objectXattrs() {
		setXattr(t, e, "public/f", name, value)
		wantXattr(t, e, "public/f", name, value)
	}
	closeHandle(t, h)
	e.drain(t)
	wantCounts(t, e, map[string]int{op.Put: 1})
	wantObjectHeaders(t, e, "public/f")
}

// TestXattrFlags: XATTR_CREATE and XATTR_REPLACE go by the header, in whatever spelling it is named.
func TestXattrFlags(t *testing.T) {
	e := newEnv(t, envConfig{})
	defer e.close(t)
	writeFile(t, e.fs, "public/f", []byte("x"))
	e.drain(t)
	set := func(name string, flags uint32) error {
		return e.fs.SetXattr(t.Context(), vfs.Ref{Path: "public/f"}, name, []byte("v"), flags)
	}
	for _, names := range [][2]string{{"user.s3.cache-control", "user.s3.cache-control"}, {"user.meta.Author", "user.author"}, {"user.tag", "user.meta.tag"}} {
		wantErrno(t, set(names[0], vfs.XattrReplace), syscall.ENODATA)
		must(t, set(names[0], vfs.XattrCreate))
		wantErrno(t, set(names[1], vfs.XattrCreate), syscall.EEXIST)
		must(t, set(names[1], vfs.XattrReplace))
		must(t, set(names[0], 0))
		must(t, e.fs.RemoveXattr(t.Context(), vfs.Ref{Path: "public/f"}, names[1]))
		wantErrno(t, e.fs.RemoveXattr(t.Context(), vfs.Ref{Path: "public/f"}, names[0]), syscall.ENODATA)
		wantErrno(t, set(names[0], vfs.XattrReplace), syscall.ENODATA)
	}
}

// TestXattrsThatCanNotBe: each refusal has its number and changes nothing.
func TestXattrsThatCanNotBe(t *testing.T) {
	e := newEnv(t, envConfig{})
	defer e.close(t)
	writeFile(t, e.fs, "public/f", []byte("x"))
	e.drain(t)
	before, _ := e.mem.Object("public/f")
	e.mem.ResetCounts()
	for _, c := range []struct {
		name, value string
		want        syscall.Errno
	}{
		{"user.s3.content-type", "text/\u00fc", syscall.EINVAL},
		{"user.s3.cache-control", " blank", syscall.EINVAL},
		{"user.s3.cache-control", "", syscall.EINVAL},
		{"user.s3.cache-control", "a\r\nx-amz-acl: public-read", syscall.EINVAL},
		{"user.s3.cache-control", strings.Repeat("a", 2048), syscall.ENOSPC},
		{"user.s3.storage-class", "COLD", syscall.EINVAL},
		{"user.s3.tags", "a=1&a=2", syscall.EINVAL},
		{"user.s3.tags", "&", syscall.EINVAL},
		{"user.s3.tags", "a=%zz", syscall.EINVAL},
		{"user.s3.no-such", "x", syscall.ENOTSUP},
		{"user.meta.mode", "33188", syscall.EPERM},
		{"user.meta.MTime", "1", syscall.EPERM},
		{"user.meta.s3levelfs-w", "1", syscall.EPERM},
		{"user.meta.", "x", syscall.EINVAL},
		{"user.meta.\u00fc", "x", syscall.EINVAL},
		{"user.meta.a", "\u00fc", syscall.EINVAL},
		{"user.meta.a", strings.Repeat("a", 2048), syscall.ENOSPC},
		{"user.a", strings.Repeat("a", 2048), syscall.ENOSPC},
		{"user.s3levelfs.key", "x", syscall.EPERM},
		{"user.s3levelfs.anything", "x", syscall.EPERM},
		{"user.", "x", syscall.ENOTSUP},
		{"trusted.a", "x", syscall.ENOTSUP},
	} {
		err := e.fs.SetXattr(t.Context(), vfs.Ref{Path: "public/f"}, c.name, []byte(c.value), 0)
		wantErrno(t, err, c.want)
	}
	e.drain(t)
	after, _ := e.mem.Object("public/f")
	if diff := cmp.Diff(before.Headers, after.Headers); diff != "" {
		t.Error(diff)
	}
	wantCounts(t, e, map[string]int{})
}

// versioned tells a version and an encryption of each object, as a bucket does that has them.
type versioned struct{ store.Store }

func (s versioned) Head(ctx context.Context, key string, c store.Cond) (store.Object, error) {
	o, err := s.Store.Head(ctx, key, c)
	if o.Headers != nil {
		o.VersionID, o.Headers.SSE, o.Headers.SSEKMSKeyID = "v1", "aws:kms", "arn:key"
	}
	return o, err
}

// TestFacts: what the mount knows of a file is told by name, costs a request only where it must, and is never listed.
func TestFacts(t *testing.T) {
	e := newEnv(t, envConfig{wrap: func(s store.Store) store.Store { return versioned{s} }})
	defer e.close(t)
	e.put(t, "public/f", []byte("x"))
	mustLookup(t, e, "public/f")
	raw, _ := e.mem.Object("public/f")
	e.mem.ResetCounts()
	for name, want := range map[string]string{
		"key": "public/f", "etag": raw.ETag, "level": "public", "identity": ownID, "state": "clean", "storage-class": "STANDARD",
	} {
		wantXattr(t, e, "public/f", "user.s3levelfs."+name, want)
	}
	wantNoXattr(t, e, "public/f", "user.s3levelfs.no-such")
	wantCounts(t, e, map[string]int{})
	wantXattr(t, e, "public/f", "user.s3levelfs.version-id", "v1")
	wantXattr(t, e, "public/f", "user.s3levelfs.sse", "aws:kms arn:key")
	wantNoXattr(t, e, "public/f", "user.s3levelfs.error")
	wantCounts(t, e, map[string]int{op.Head: 2})
	names, err := e.fs.ListXattr(t.Context(), vfs.Ref{Path: "public/f"})
	must(t, err)
	for _, name := range names {
		if strings.HasPrefix(name, "user.s3levelfs.") {
			t.Errorf("%s is listed", name)
		}
	}
	wantNoXattr(t, e, "public", "user.s3levelfs.version-id")
	wantNoXattr(t, e, "public", "user.s3levelfs.sse")
}

// presigner counts the URLs that it is asked for.
type presigner struct{ asked []string }

func (p *presigner) PresignGet(_ context.Context, key string, expires time.Duration) (string, error) {
	p.asked = append(p.asked, key)
	if key == "public/refused" {
		return "", store.ErrCredentials
	}
	return "https://s3/" + key + "?expires=" + expires.String(), nil
}

// TestURL: the URL of a file is made when it is asked for by its name, of what is stored alone, and is no request.
func TestURL(t *testing.T) {
	p := &presigner{}
	e := newEnv(t, envConfig{presigner: p, vfs: vfs.Config{URLExpires: time.Hour}})
	defer e.close(t)
	e.put(t, "public/f", []byte("x"))
	e.put(t, "public/refused", []byte("x"))
	mustLookup(t, e, "public/f")
	e.mem.ResetCounts()
	wantXattr(t, e, "public/f", "user.s3levelfs.url", "https://s3/public/f?expires=1h0m0s")
	wantCounts(t, e, map[string]int{})
	if _, err := e.fs.ListXattr(t.Context(), vfs.Ref{Path: "public/f"}); err != nil {
		t.Error(err)
	}
	if _, err := e.fs.GetXattr(t.Context(), vfs.Ref{Path: "public/refused"}, "user.s3levelfs.url"); !errors.Is(err, store.ErrCredentials) {
		t.Error(err)
	}
	wantNoXattr(t, e, "public", "user.s3levelfs.url")
	h, _, err := e.fs.Create(t.Context(), "public/new", syscall.O_CREAT|syscall.O_WRONLY, 0o644)
	must(t, err)
	wantNoXattr(t, e, "public/new", "user.s3levelfs.url")
	closeHandle(t, h)
	if diff := cmp.Diff([]string{"public/f", "public/refused"}, p.asked); diff != "" {
		t.Error(diff)
	}
}

// locked refuses what is encrypted by a key that the mount has not.
type locked struct{ store.Store }

func (locked) refusal(key string) error {
	return &store.Error{Op: op.Head, Key: key, Code: "InvalidRequest", Status: 400, Kind: store.ErrPermission, Hint: "give the key's file"}
}

func (s locked) Head(_ context.Context, key string, _ store.Cond) (store.Object, error) {
	return store.Object{}, s.refusal(key)
}

func (s locked) Get(_ context.Context, key string, _ store.Range, _ store.Cond) (io.ReadCloser, store.Object, error) {
	return nil, store.Object{}, s.refusal(key)
}

// TestEncryptedFileWithoutItsKey: such a file is EACCES, and its attribute says what it lacks.
func TestEncryptedFileWithoutItsKey(t *testing.T) {
	e := newEnv(t, envConfig{wrap: func(s store.Store) store.Store { return locked{s} }})
	defer e.close(t)
	e.put(t, "public/f", []byte("x"))
	h, err := e.fs.Open(t.Context(), "public/f", syscall.O_RDONLY)
	if err == nil {
		_, err = h.ReadAt(t.Context(), make([]byte, 1), 0)
		closeHandle(t, h)
	}
	if !errors.Is(err, store.ErrPermission) {
		t.Errorf("read: %v", err)
	}
	got, err := e.fs.GetXattr(t.Context(), vfs.Ref{Path: "public/f"}, "user.s3levelfs.error")
	if err != nil || !strings.Contains(string(got), "give the key's file") {
		t.Errorf("%q, %v", got, err)
	}
}
