package attrs_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/fs/vfs/attrs"
	"github.com/s3levelfs/s3levelfs/store"
)

func TestXattrNames(t *testing.T) {
	tests := map[string]string{
		"user.note":        "note",
		"user.a-b.c_d9":    "a-b.c_d9",
		"user.Foo":         "%46oo",
		"user.a b":         "a%20b",
		"user.ü":           "%c3%bc",
		"user.%41":         "%2541",
		"user.mode":        "%6dode",
		"user.file-owner":  "%66ile-owner",
		"user.s3levelfs-w": "%733levelfs-w",
		"user.xattr":       "%78attr",
	}
	for attr, header := range tests {
		var h store.Headers
		if err := attrs.SetXattr(&h, attr, []byte("v")); err != nil {
			t.Errorf("%q: %v", attr, err)
		}
		if diff := cmp.Diff(meta{header: "v"}, h.Metadata); diff != "" {
			t.Errorf("%q: %s", attr, diff)
		}
		if got := attrs.ListXattr(h); !cmp.Equal(got, []string{attr}) {
			t.Errorf("%q is listed as %q", attr, got)
		}
	}
	for _, attr := range []string{"", "user.", "security.selinux", "trusted.x", "note"} {
		var h store.Headers
		if err := attrs.SetXattr(&h, attr, nil); !errors.Is(err, attrs.ErrNamespace) {
			t.Errorf("%q: %v", attr, err)
		}
	}
}

func TestForeignXattrs(t *testing.T) {
	h := store.Headers{Metadata: meta{
		"note": "50% off", "%4eote": "x", "word": "=?UTF-8?B?w7w=?=", "mode": "33188", "mtime": "5", "s3levelfs-w": "id",
		"xattr": url.QueryEscape(`{"user.old":"b2xk","user.note":"c2hhZG93ZWQ=","security.x":"eA=="}`),
	}}
	if diff := cmp.Diff([]string{"user.Note", "user.note", "user.old", "user.word"}, attrs.ListXattr(h)); diff != "" {
		t.Error(diff)
	}
	for attr, want := range map[string]string{"user.note": "50% off", "user.old": "old", "user.word": "ü", "user.Note": "x"} {
		if got, ok := attrs.GetXattr(h, attr); !ok || string(got) != want {
			t.Errorf("%s: %q, %v", attr, got, ok)
		}
	}
	for _, attr := range []string{"user.mode", "user.s3levelfs-w", "security.x", "user.none"} {
		if got, ok := attrs.GetXattr(h, attr); ok {
			t.Errorf("%s: %q", attr, got)
		}
		if attrs.RemoveXattr(&h, attr) {
			t.Errorf("%s was removed", attr)
		}
	}
	if !attrs.RemoveXattr(&h, "user.note") || !attrs.RemoveXattr(&h, "user.old") {
		t.Error("not removed")
	}
	if diff := cmp.Diff([]string{"user.Note", "user.word"}, attrs.ListXattr(h)); diff != "" {
		t.Error(diff)
	}
	if text, _ := url.QueryUnescape(h.Metadata["xattr"]); text != `{"security.x":"eA=="}` {
		t.Errorf("s3fs's others: %s", text)
	}
}

func FuzzXattr(f *testing.F) {
	f.Add("note", []byte("v"))
	f.Add("Foo Bar", []byte{})
	f.Add("mode", []byte("=?"))
	f.Add("%6dode", []byte(" a  b "))
	f.Add("ü\xff", []byte{0, 255, '%'})
	f.Fuzz(func(t *testing.T, short string, value []byte) {
		if short == "" || len(short)+len(value) > 500 || strings.HasPrefix(short, "meta.") || strings.HasPrefix(short, "s3.") ||
			strings.HasPrefix(short, "s3levelfs.") {
			return
		}
		attr := "user." + short
		h := store.Headers{Metadata: meta{"mode": "33188"}}
		if err := attrs.SetXattr(&h, attr, value); err != nil {
			t.Fatal(err)
		}
		checkASCII(t, h)
		if got, ok := attrs.GetXattr(h, attr); !ok || string(got) != string(value) {
			t.Errorf("%q: %q became %q", attr, value, got)
		}
		if got := attrs.ListXattr(h); !cmp.Equal(got, []string{attr}) {
			t.Errorf("%q is listed as %q", attr, got)
		}
		if p := attrs.Decode(object(1, h.Metadata)); p.Mode != 0o100644 {
			t.Errorf("%q has changed the mode to %o", attr, p.Mode)
		}
		if !attrs.RemoveXattr(&h, attr) || !cmp.Equal(h.Metadata, meta{"mode": "33188"}) {
			t.Errorf("%q: left %v", attr, h.Metadata)
		}
	})
}

// Any header that another program wrote is listed, found under the listed name,
// and can be removed.
func FuzzForeignHeader(f *testing.F) {
	for _, s := range []string{"note", "%zz", "a%62", "%", "Mixed", "%4d", "%6dode"} {
		f.Add(s, "v")
	}
	f.Add("x", "=?UTF-8?Q?=ff?=")
	f.Add("meta.a", "v")
	f.Add("%733.content-type", "v")
	f.Add("s3levelfs.key", "v")
	f.Fuzz(func(t *testing.T, header, raw string) {
		if header == "" || len(header)+len(raw) > 500 {
			return
		}
		h := store.Headers{Metadata: meta{header: raw}}
		for _, attr := range attrs.ListXattr(h) {
			if _, ok := attrs.GetXattr(h, attr); !ok {
				t.Errorf("%q of header %q is listed, but not found", attr, header)
			}
			if !attrs.RemoveXattr(&h, attr) {
				t.Errorf("%q of header %q can not be removed", attr, header)
			}
		}
		attrs.Decode(object(0, h.Metadata))
	})
}

// TestMetaXattrs: user.meta.NAME is the header of that name, as it is.
func TestMetaXattrs(t *testing.T) {
	h := store.Headers{Metadata: meta{"mode": "33188", "author": "50%20", "old": "=?UTF-8?B?w7w=?="}}
	for attr, want := range map[string]string{"user.meta.author": "50%20", "user.meta.Author": "50%20", "user.author": "50 ", "user.meta.old": "ü"} {
		if got, ok := attrs.GetXattr(h, attr); !ok || string(got) != want {
			t.Errorf("%s: %q, %v", attr, got, ok)
		}
	}
	for _, c := range []struct {
		attr, value string
		want        error
	}{
		{"user.meta.mode", "1", attrs.ErrReserved},
		{"user.meta.MTIME", "1", attrs.ErrReserved},
		{"user.meta.s3levelfs-w", "1", attrs.ErrReserved},
		{"user.meta.", "1", attrs.ErrNotHeader},
		{"user.meta.a b", "1", attrs.ErrNotHeader},
		{"user.meta.ü", "1", attrs.ErrNotHeader},
		{"user.meta.a", "ü", attrs.ErrNotHeader},
		{"user.meta.a", " blank", attrs.ErrNotHeader},
		{"user.meta.a", "x\ny", attrs.ErrNotHeader},
		{"user.meta.a", strings.Repeat("v", 2048), attrs.ErrMetadataTooLarge},
	} {
		if err := attrs.SetXattr(&h, c.attr, []byte(c.value)); !errors.Is(err, c.want) {
			t.Errorf("%q = %.10q: %v, want %v", c.attr, c.value, err, c.want)
		}
	}
	for attr, value := range map[string]string{"user.meta.Author": "100% off", "user.meta.none": "", "user.meta.meta.x": "y"} {
		if err := attrs.SetXattr(&h, attr, []byte(value)); err != nil {
			t.Errorf("%s: %v", attr, err)
		}
		if got, ok := attrs.GetXattr(h, attr); !ok || string(got) != value {
			t.Errorf("%s: %q, %v", attr, got, ok)
		}
	}
	if h.Metadata["author"] != "100% off" || h.Metadata["meta.x"] != "y" {
		t.Errorf("headers %v", h.Metadata)
	}
	if diff := cmp.Diff([]string{"user.author", "user.meta.meta.x", "user.none", "user.old"}, attrs.ListXattr(h)); diff != "" {
		t.Error(diff)
	}
	if !attrs.RemoveXattr(&h, "user.meta.Author") || attrs.RemoveXattr(&h, "user.meta.author") || attrs.RemoveXattr(&h, "user.meta.mode") {
		t.Error("remove")
	}
}
