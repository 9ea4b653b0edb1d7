package memhttp_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/memstore/memhttp"
	"github.com/s3levelfs/s3levelfs/store/storetest"
)

// TestConformance: through the wire it is the store that it is without one.
func TestConformance(t *testing.T) {
	storetest.Test(t, func(t *testing.T) store.Store {
		t.Helper()
		_, s := open(t, memstore.Config{IgnoreCopyCond: true})
		return s
	}, storetest.Features{})
}

// TestTagsAreHidden: who has no right to tags learns that there are some, and not which.
func TestTagsAreHidden(t *testing.T) {
	mem, s := open(t, memstore.Config{DenyTags: true})
	mem.PutRaw("tagged", memstore.Raw{Headers: store.Headers{Tags: "a=1"}})
	mem.PutRaw("plain", memstore.Raw{})
	for key, hidden := range map[string]bool{"tagged": true, "plain": false} {
		if o, err := s.Head(t.Context(), key, store.Cond{}); err != nil || o.TagsHidden != hidden || o.Headers.Tags != "" {
			t.Errorf("%s: %+v, %v", key, o, err)
		}
	}
}

// TestListParts: an upload tells what it holds, by number; one that has ended tells nothing.
func TestListParts(t *testing.T) {
	mem := memstore.New(memstore.Config{})
	server := httptest.NewServer(memhttp.Handler("bucket", mem))
	defer server.Close()
	id, err := mem.Create(t.Context(), "k", store.Headers{})
	if err != nil {
		t.Fatal(err)
	}
	for n, text := range map[int32]string{2: "second", 1: "first"} {
		if _, err := mem.UploadPart(t.Context(), "k", id, n, io.NewSectionReader(strings.NewReader(text), 0, int64(len(text)))); err != nil {
			t.Fatal(err)
		}
	}
	list := func() (int, string) {
		resp, err := http.Get(server.URL + "/bucket/k?uploadId=" + id)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(text)
	}
	const want = "<Part><PartNumber>1</PartNumber><Size>5</Size></Part><Part><PartNumber>2</PartNumber><Size>6</Size></Part>"
	if code, text := list(); code != http.StatusOK || !strings.Contains(text, want) {
		t.Errorf("%d: %s", code, text)
	}
	mem.LoseUploads()
	if code, text := list(); code != http.StatusNotFound || !strings.Contains(text, "NoSuchUpload") {
		t.Errorf("%d: %s", code, text)
	}
}
