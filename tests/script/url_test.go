package script

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/tests/rig"
)

// ask sends one request as any program would.
func ask(t *testing.T, method, url, contentType, body string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

// TestURL: presigned URLs open with a plain HTTP client, for the method, the headers and the time that they are for.
func TestURL(t *testing.T) {
	server := rig.StartServer(t, filepath.Join(t.TempDir(), "data"))
	bucket := server.Client(t)
	const key = "public/a b+c%20/ü.txt"
	if _, err := bucket.Put(t.Context(), key, rig.Body("hello"), store.Headers{ContentType: "text/plain"}, store.Cond{}); err != nil {
		t.Fatal(err)
	}
	url := func(args ...string) (out struct {
		URL       string
		ExpiresAt time.Time
	},
	) {
		t.Helper()
		cmd := exec.Command(rig.Bin, append([]string{"url", "--json", "--endpoint", server.Endpoint, "--bucket", rig.Bucket, "--path-style", "--identity-id", rig.Identity}, args...)...)
		cmd.Env = append(server.Env, "HOME="+t.TempDir())
		text, err := cmd.Output()
		if err == nil {
			err = json.Unmarshal(text, &out)
		}
		if err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		return out
	}
	name := strings.TrimPrefix(key, "public/")
	got := url("--download-name", "x y.txt", "--response-content-type", "text/x", "--validate", name)
	resp, text := ask(t, http.MethodGet, got.URL, "", "")
	if resp.StatusCode != http.StatusOK || text != "hello" || resp.Header.Get("Content-Type") != "text/x" ||
		resp.Header.Get("Content-Disposition") != `attachment; filename="x y.txt"` {
		t.Errorf("get: %s %v %q", resp.Status, resp.Header, text)
	}
	if resp, _ := ask(t, http.MethodPut, got.URL, "", "other"); resp.StatusCode != http.StatusForbidden {
		t.Errorf("put by a URL that is for get: %s", resp.Status)
	}
	put := url("--method", "put", "--content-type", "image/png", "up.png")
	if resp, _ := ask(t, http.MethodPut, put.URL, "text/html", "wrong"); resp.StatusCode != http.StatusForbidden {
		t.Errorf("another content type: %s", resp.Status)
	}
	if resp, text := ask(t, http.MethodPut, put.URL, "image/png", "picture"); resp.StatusCode != http.StatusOK {
		t.Errorf("put: %s %s", resp.Status, text)
	}
	body, o, err := bucket.Get(t.Context(), "public/up.png", store.All, store.Cond{})
	if err != nil {
		t.Fatal(err)
	}
	stored, err := io.ReadAll(body)
	_ = body.Close()
	if err != nil || !bytes.Equal(stored, []byte("picture")) || o.Headers.ContentType != "image/png" {
		t.Errorf("stored %q, %+v, %v", stored, o.Headers, err)
	}
	short := url("--expires", "1", name)
	<-time.After(time.Until(short.ExpiresAt.Add(2 * time.Second))) // S3's time has whole seconds
	if resp, _ := ask(t, http.MethodGet, short.URL, "", ""); resp.StatusCode != http.StatusForbidden {
		t.Errorf("after its time: %s", resp.Status)
	}
}
