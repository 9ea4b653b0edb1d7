package perms

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/local"
	"github.com/s3levelfs/s3levelfs/tests/rig"
)

// matrixPlace is one of the acceptance's places for one role.
type matrixPlace struct {
	name string
	dir  string // in the mount
	key  string // its prefix in the bucket
}

func matrixPlaces(r matrixRole) []matrixPlace {
	return []matrixPlace{
		{"public", "public", "public/"},
		{"own", "protected/" + r.identity, "protected/" + r.identity + "/"},
		{"other", "protected/" + r.other(), "protected/" + r.other() + "/"},
		{"private", "private", "private/" + r.identity + "/"},
		{"uploads", "uploads", "uploads/"},
		{"outside", "outside", "outside/"},
	}
}

// rights are what the server lets an account do in a place, found out by doing it.
type rights struct{ list, get, put, del bool }

func (r rights) String() string {
	var b strings.Builder
	for i, set := range []bool{r.list, r.get, r.put, r.del} {
		if set {
			b.WriteByte("lgpd"[i])
		}
	}
	return b.String()
}

// askServer tries each right without a mount.
func askServer(t *testing.T, s, admin store.Store, prefix string) (r rights) {
	t.Helper()
	ctx := t.Context()
	allowed := func(err error) bool {
		if err != nil && !errors.Is(err, store.ErrPermission) {
			t.Fatalf("%s: %v", prefix, err)
		}
		return err == nil
	}
	put(t, admin, prefix+"asked", "asked")
	for _, err := range s.List(ctx, prefix, store.ListOptions{PageSize: 1}) {
		r.list = allowed(err)
		break
	}
	body, _, err := s.Get(ctx, prefix+"asked", store.All, store.Cond{})
	if r.get = allowed(err); r.get {
		_ = body.Close()
	}
	_, err = s.Put(ctx, prefix+"asked", rig.Body("again"), store.Headers{}, store.Cond{})
	r.put = allowed(err)
	r.del = allowed(s.Delete(ctx, prefix+"asked", store.Cond{}))
	if !r.del {
		if err := admin.Delete(ctx, prefix+"asked", store.Cond{}); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func put(t *testing.T, s store.Store, key, text string) {
	t.Helper()
	if _, err := s.Put(t.Context(), key, rig.Body(text), store.Headers{}, store.Cond{}); err != nil {
		t.Fatal(err)
	}
}

// keysOf gives the objects below a prefix with what they hold.
func keysOf(t *testing.T, admin store.Store, prefix string) map[string]string {
	t.Helper()
	out := make(map[string]string)
	for page, err := range admin.List(t.Context(), prefix, store.ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Objects {
			body, _, err := admin.Get(t.Context(), o.Key, store.All, store.Cond{})
			if err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(body)
			if err := errors.Join(err, body.Close()); err != nil {
				t.Fatal(err)
			}
			out[strings.TrimPrefix(o.Key, prefix)] = string(data)
		}
	}
	return out
}

// hideMissing stands in front of the server and turns 404 on HEAD and GET of an object into 403, as AWS answers
// somebody who may not list the bucket unconditionally. It returns its address.
func hideMissing(t *testing.T, endpoint string) string {
	t.Helper()
	target, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	hidden := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
			r.Out.URL.RawPath, r.Out.URL.Path = r.In.URL.EscapedPath(), r.In.URL.Path
		},
		ModifyResponse: func(r *http.Response) error {
			if r.StatusCode != http.StatusNotFound || r.Request.Method != http.MethodGet && r.Request.Method != http.MethodHead {
				return nil
			}
			r.StatusCode, r.Status = http.StatusForbidden, "403 Forbidden"
			if r.Request.Method == http.MethodGet {
				text := []byte("<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")
				_ = r.Body.Close()
				r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
				r.Header.Del("Content-Length")
			}
			return nil
		},
	}
	s := httptest.NewServer(hidden)
	t.Cleanup(s.Close)
	return s.URL
}

// matrix is one run over all cells of one role.
type matrix struct {
	t     *testing.T
	role  matrixRole
	mount string
	work  string            // directory of the mount that renames come from and go to
	at    map[string]rights // by place
	cells map[string]string // what each cell has answered
}

// TestPermissionMatrix does everything everywhere as everybody, and compares each cell with what the server itself
// says to the same account: what the server refuses the mount refuses before any byte is sent, and it refuses nothing else.
// It does so on the server as it is and on one that answers as AWS does about objects that are not there, and about conditions where
// nothing may be read.
func TestPermissionMatrix(t *testing.T) {
	roles := matrixRoles()
	var accounts []local.Account
	for _, r := range roles {
		accounts = append(accounts, local.Account{Access: r.access(), Secret: r.secret()})
	}
	server, err := local.Start(t.Context(), local.Config{
		Data: filepath.Join(t.TempDir(), "data"), Bucket: rig.Bucket, Listen: "127.0.0.1:0",
		Accounts: accounts, Policy: matrixPolicy(t, roles),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	admin := rig.Client(t, server.Endpoint(), server.Credentials().Access, server.Credentials().Secret)
	hiding := hideMissing(t, server.Endpoint())
	total := 0
	for _, r := range roles {
		t.Run(r.name, func(t *testing.T) {
			plain := runMatrix(t, r, server.Endpoint(), server.Endpoint(), admin)
			hidden := runMatrix(t, r, server.Endpoint(), hiding, admin) // and judges conditions as AWS does, too
			for _, cell := range slices.Sorted(maps.Keys(plain)) {
				if plain[cell] != hidden[cell] {
					t.Errorf("%s: %s, and %s where missing objects are 403", cell, plain[cell], hidden[cell])
				}
			}
			total += len(plain) + len(hidden)
		})
	}
	if want := len(roles) * 2 * 6 * 8; total != want || t.Failed() {
		t.Fatalf("%d cells, want %d without an error", total, want)
	}
	t.Logf("%d cells of the permission matrix: server and mount agree", total)
}

// runMatrix mounts as one role by way of endpoint and tries all cells.
func runMatrix(t *testing.T, r matrixRole, server, endpoint string, admin store.Store) map[string]string {
	t.Helper()
	m := &matrix{t: t, role: r, at: make(map[string]rights), cells: make(map[string]string)}
	client := rig.Client(t, server, r.access(), r.secret())
	before := make(map[string]map[string]string)
	for _, p := range matrixPlaces(r) {
		for name := range keysOf(t, admin, p.key) {
			if name == "" { // the marker stays
				continue
			}
			if err := admin.Delete(t.Context(), p.key+name, store.Cond{}); err != nil {
				t.Fatal(err)
			}
		}
		m.at[p.name] = askServer(t, client, admin, p.key)
		if got, want := m.at[p.name].String(), r.rights[p.name]; got != want {
			t.Fatalf("the server gives %s %q in %s, the policy means %q", r.name, got, p.name, want)
		}
		put(t, admin, p.key, "") // a marker: without a listing a directory is found by nothing else
		for _, name := range []string{"seed", "over", "gone", "out"} {
			put(t, admin, p.key+name, "seed")
		}
	}
	work := m.workPlace()
	for _, p := range matrixPlaces(r) {
		put(t, admin, work.key+"to-"+p.name, "moved")
	}
	for _, p := range matrixPlaces(r) {
		before[p.name] = keysOf(t, admin, p.key)
	}
	proxy := rig.StartProxy(t, endpoint)
	if endpoint != server {
		proxy.SetJudge(m.matchWantsGet)
	}
	options := append([]string{"--bucket", rig.Bucket, "--endpoint", proxy.Endpoint, "--path-style", "--uploads", "--metadata-ttl", "0s"}, r.options...)
	mount := rig.MountAt(t, t.TempDir(), []string{"AWS_ACCESS_KEY_ID=" + r.access(), "AWS_SECRET_ACCESS_KEY=" + r.secret()}, options...)
	m.mount, m.work = mount.Dir, filepath.Join(mount.Dir, work.dir)
	for _, p := range matrixPlaces(r) {
		m.place(p, work)
	}
	mount.Unmount(t)
	m.bucket(admin, before, work)
	for _, q := range proxy.Take() {
		if q.Method == http.MethodPut && q.Status == http.StatusForbidden && !strings.Contains(q.Path, "/.s3levelfs-probe-") && q.Sent > 0 {
			t.Errorf("bytes were sent and refused: %s", q)
		}
	}
	return m.cells
}

// matchWantsGet refuses writes with an ETag as their condition where nothing may be read, as AWS does ("Enforce conditional writes on
// Amazon S3 buckets").
func (m *matrix) matchWantsGet(r *http.Request) int {
	etag := r.Header.Get("If-Match")
	if r.Method == http.MethodGet || r.Method == http.MethodHead || etag == "" || etag == "*" {
		return 0
	}
	for _, p := range matrixPlaces(m.role) {
		if strings.HasPrefix(r.URL.Path, "/"+rig.Bucket+"/"+p.key) && !m.at[p.name].get {
			return http.StatusForbidden
		}
	}
	return 0
}

// workPlace is where a role may do everything, else public.
func (m *matrix) workPlace() matrixPlace {
	places := matrixPlaces(m.role)
	for _, p := range places {
		if m.at[p.name].String() == "lgpd" {
			return p
		}
	}
	return places[0]
}

// place tries the eight operations of one place.
func (m *matrix) place(p, work matrixPlace) {
	at, from := m.at[p.name], m.at[work.name]
	named := p.name != "outside" && (p.name != "private" || at != rights{})
	found := named && (at.list || at.get) // a name in there can be found
	refused := func(visible, ok bool) error {
		switch {
		case !visible:
			return unix.ENOENT
		case !ok:
			return unix.EACCES
		}
		return nil
	}
	in := func(name string) string { return filepath.Join(m.mount, p.dir, name) }
	if named && !m.role.untold {
		m.mode(in(""), at.list, at.put || at.del)
	}
	if found && !m.role.untold {
		m.mode(in("seed"), at.get, at.put)
	}
	_, err := os.ReadDir(in(""))
	m.cell(p, "list", err, refused(named, at.list))
	_, err = os.Lstat(in("seed"))
	m.cell(p, "stat", err, refused(found, true))
	_, err = os.ReadFile(in("seed"))
	m.cell(p, "read", err, refused(found, at.get))
	m.cell(p, "create", m.write(in("new")), refused(named, at.put))
	m.cell(p, "overwrite", m.write(in("over")), refused(named, at.put))
	m.cell(p, "delete", os.Remove(in("gone")), refused(found, at.del))
	m.cell(p, "rename in", os.Rename(filepath.Join(m.work, "to-"+p.name), in("came")), refused(named, from.get && from.del && at.put))
	m.cell(p, "rename out", os.Rename(in("out"), filepath.Join(m.work, "from-"+p.name)), refused(found, at.get && at.del && from.put))
}

// mode holds the owner's bits and access(2) against the rights.
func (m *matrix) mode(path string, read, write bool) {
	m.t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		m.t.Error(err)
		return
	}
	if mode := info.Mode().Perm(); mode&0o400 != 0 != read || mode&0o200 != 0 != write {
		m.t.Errorf("%s has mode %o, may be read: %v, written: %v", path, mode, read, write)
	}
	for mask, want := range map[uint32]bool{unix.R_OK: read, unix.W_OK: write} {
		if err := unix.Access(path, mask); err == nil != want || err != nil && !errors.Is(err, unix.EACCES) {
			m.t.Errorf("access(%s, %d): %v, want %v", path, mask, err, want)
		}
	}
}

// write makes or replaces a file. Whatever is not told by the open is told too late.
func (m *matrix) write(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString("written")
	if err := errors.Join(err, f.Close()); err != nil {
		m.t.Errorf("%s: told after the open: %v", path, err)
	}
	return nil
}

func (m *matrix) cell(p matrixPlace, operation string, err, want error) {
	m.t.Helper()
	m.cells[p.name+", "+operation] = "allowed"
	if errno, refused := errors.AsType[unix.Errno](err); refused {
		m.cells[p.name+", "+operation] = errno.Error()
	}
	if !errors.Is(err, want) {
		m.t.Errorf("%s in %s: %v, want %v: the server gives %q", operation, p.name, err, want, m.at[p.name])
	}
}

// bucket holds what is stored in the end against what was allowed: that has happened, and nothing else.
func (m *matrix) bucket(admin store.Store, before map[string]map[string]string, work matrixPlace) {
	m.t.Helper()
	done := func(p matrixPlace, operation string) bool { return m.cells[p.name+", "+operation] == "allowed" }
	want := maps.Clone(before)
	for _, p := range matrixPlaces(m.role) {
		if done(p, "create") {
			want[p.name]["new"] = "written"
		}
		if done(p, "overwrite") {
			want[p.name]["over"] = "written"
		}
		if done(p, "delete") {
			delete(want[p.name], "gone")
		}
		if done(p, "rename in") {
			want[p.name]["came"] = "moved"
			delete(want[work.name], "to-"+p.name)
		}
		if done(p, "rename out") {
			delete(want[p.name], "out")
			want[work.name]["from-"+p.name] = "seed"
		}
	}
	for _, p := range matrixPlaces(m.role) {
		if got := keysOf(m.t, admin, p.key); !maps.Equal(got, want[p.name]) {
			m.t.Errorf("%s holds %v, want %v", p.name, got, want[p.name])
		}
	}
}
