package amplify

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/store/local"
	"github.com/s3levelfs/s3levelfs/store/s3store"
)

const v6 = "v6.cjs"

// dotted is a bucket whose name has the client address it by path: TLS has no certificates for names below such ones.
const dotted = "my.bucket"

// newV6 starts bucket, mount and a client of version 6, which asks a server of its own by TLS alone.
func newV6(t *testing.T, options ...string) *app {
	t.Helper()
	top := t.TempDir()
	server, err := local.Start(t.Context(), local.Config{Data: filepath.Join(top, "data"), Bucket: dotted, Listen: "127.0.0.1:0"})
	must(t, err)
	t.Cleanup(func() { _ = server.Close() })
	root := server.Credentials()
	credentials := []string{"AWS_ACCESS_KEY_ID=" + root.Access, "AWS_SECRET_ACCESS_KEY=" + root.Secret}
	past, err := s3store.New(t.Context(), s3store.Config{
		Bucket: dotted, Endpoint: server.Endpoint(), Region: "us-east-1", PathStyle: true, Credentials: s3store.Static(root.Access, root.Secret, ""),
	})
	must(t, err)
	t.Cleanup(func() { _ = past.Close() })
	a := &app{store: past}
	a.Mount = mountOf(t, top, dotted, server.Endpoint(), credentials, options)
	front, ca := tlsFront(t, server.Endpoint(), top)
	a.client = startClient(t, v6, dotted, credentials, map[string]string{"endpoint": strings.TrimPrefix(front, "https://")}, "NODE_EXTRA_CA_CERTS="+ca)
	return a
}

// tlsFront serves an endpoint by TLS, under the host that requests were signed for, and gives the file with its certificate.
func tlsFront(t *testing.T, endpoint, top string) (address, ca string) {
	t.Helper()
	target, err := url.Parse(endpoint)
	must(t, err)
	front := httptest.NewTLSServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
		r.Out.URL.RawPath, r.Out.URL.Path = r.In.URL.EscapedPath(), r.In.URL.Path
	}, Transport: &http.Transport{DisableCompression: true}})
	t.Cleanup(front.Close)
	ca = filepath.Join(top, "ca.pem")
	must(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: front.Certificate().Raw}), 0o600))
	return front.URL, ca
}

// TestV6ListsAndRemoves: what a mount makes is listed by folders, and what the app removes is gone. (A whole folder it removes by a request that
// version 6.17 sends to the endpoint's root, without the bucket, when it has an endpoint of its own: no server answers that.)
func TestV6ListsAndRemoves(t *testing.T) {
	a := newV6(t)
	dir := filepath.Join(a.Dir, "public", "docs")
	must(t, os.MkdirAll(filepath.Join(dir, "sub dir"), 0o700))
	for _, name := range []string{"one.txt", "three.txt", "sub dir/two.txt"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600))
	}
	a.sync(t)
	var got struct {
		Items            []struct{ Path string }
		ExcludedSubpaths []string
	}
	a.call(t, "list", args{"path": "public/docs/", "options": args{"subpathStrategy": args{"strategy": "exclude"}}}, &got)
	var paths []string
	for _, i := range got.Items {
		paths = append(paths, i.Path)
	}
	if diff := cmp.Diff([]string{"public/docs/", "public/docs/one.txt", "public/docs/three.txt", "below public/docs/sub dir/"},
		append(paths, "below "+strings.Join(got.ExcludedSubpaths, " "))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	a.call(t, "remove", args{"path": "public/docs/three.txt"}, nil)
	if _, err := os.Lstat(filepath.Join(dir, "three.txt")); !os.IsNotExist(err) {
		t.Errorf("the file that the app has removed: %v", err)
	}
	wantFile(t, filepath.Join(dir, "one.txt"), []byte("one.txt"))
	a.Unmount(t)
}
