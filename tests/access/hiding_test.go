package access

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
)

// hideAbsence stands in front of a server and answers HEAD and GET of what is not there by 403, as Amazon S3 does for who
// may not list the whole bucket. The Host header stays, so that signatures do.
func hideAbsence(t *testing.T, endpoint string) string {
	t.Helper()
	target, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
			r.Out.URL.RawPath, r.Out.URL.Path = r.In.URL.EscapedPath(), r.In.URL.Path
		},
		ModifyResponse: func(r *http.Response) error {
			if r.StatusCode != http.StatusNotFound || r.Request.Method != http.MethodGet && r.Request.Method != http.MethodHead {
				return nil
			}
			const text = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
			err := r.Body.Close()
			r.StatusCode, r.Status = http.StatusForbidden, "403 Forbidden"
			r.Header.Del("Content-Length")
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
			if r.Request.Method == http.MethodHead {
				r.Body, r.ContentLength = http.NoBody, 0
			}
			return err
		},
	})
	t.Cleanup(func() {
		proxy.Close()
		transport.CloseIdleConnections()
	})
	return proxy.URL
}
