package attrs_test

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/s3levelfs/s3levelfs/fs/vfs/attrs"
	"github.com/s3levelfs/s3levelfs/store"
)

type meta = map[string]string

func object(size int64, m meta) store.Object {
	return store.Object{Key: "k", Size: size, Headers: &store.Headers{Metadata: m}}
}

func TestDecode(t *testing.T) {
	const mode = attrs.HasMode
	tests := map[string]struct {
		size int64
		meta meta
		want attrs.Posix
	}{
		"nothing": {1, nil, attrs.Posix{}},
		"s3fs": {1, meta{"mode": "33188", "uid": "1000", "gid": "100", "mtime": "1700000000", "atime": "1700000001.000000005", "ctime": "1700000002"}, attrs.Posix{
			Has: mode | attrs.HasUID | attrs.HasGID, Mode: 0o100644, UID: 1000, GID: 100,
			Mtime: time.Unix(1_700_000_000, 0), Atime: time.Unix(1_700_000_001, 5), Ctime: time.Unix(1_700_000_002, 0),
		}},
		"rclone":                     {1, meta{"mtime": "1700000000.1234"}, attrs.Posix{Mtime: time.Unix(1_700_000_000, 123_400_000)}},
		"rclone --metadata":          {1, meta{"mode": "100640", "mtime": "2023-11-14T22:13:20.5Z"}, attrs.Posix{Has: mode, Mode: 0o100640, Mtime: time.Unix(1_700_000_000, 500_000_000).UTC()}},
		"rclone, directory":          {1, meta{"mode": "40755"}, attrs.Posix{Has: mode, Mode: 0o40755}},
		"permissions alone":          {1, meta{"mode": "420"}, attrs.Posix{Has: mode, Mode: 0o644}},
		"leading zero":               {1, meta{"mode": "0644"}, attrs.Posix{Has: mode, Mode: 0o644}},
		"AWS":                        {1, meta{"file-permissions": "0100664", "file-owner": "7", "file-group": "8", "file-mtime": "1700000000123456789ns", "file-atime": "1700000000123"}, attrs.Posix{Has: mode | attrs.HasUID | attrs.HasGID, Mode: 0o100664, UID: 7, GID: 8, Mtime: time.Unix(1_700_000_000, 123_456_789), Atime: time.Unix(1_700_000_000, 123_000_000)}},
		"Google":                     {1, meta{"goog-reserved-posix-mode": "644", "goog-reserved-posix-uid": "5", "goog-reserved-file-mtime": "1700000000"}, attrs.Posix{Has: mode | attrs.HasUID, Mode: 0o644, UID: 5, Mtime: time.Unix(1_700_000_000, 0)}},
		"s3fs before AWS":            {1, meta{"mode": "33188", "file-permissions": "0100600"}, attrs.Posix{Has: mode, Mode: 0o100644}},
		"noise":                      {1, meta{"mode": "rwx", "uid": "-1", "gid": "4294967296", "mtime": "today", "atime": "1e9", "ctime": "1.2.3"}, attrs.Posix{}},
		"no type of file":            {1, meta{"mode": "99999999"}, attrs.Posix{}},
		"geesefs link":               {0, meta{"--symlink-target": "../a%20b"}, attrs.Posix{Has: mode, Mode: 0o120777, Link: "../a b"}},
		"link with mode":             {0, meta{"--symlink-target": "x", "mode": "41471"}, attrs.Posix{Has: mode, Mode: 0o120777, Link: "x"}},
		"s3fs link":                  {5, meta{"mode": "41471"}, attrs.Posix{Has: mode, Mode: 0o120777, LinkInBody: true}},
		"s3fs link without target":   {0, meta{"mode": "41471"}, attrs.Posix{Has: mode, Mode: 0o777}},
		"target of a file with data": {5, meta{"--symlink-target": "x"}, attrs.Posix{}},
		"before 1970":                {1, meta{"mtime": "-1.5"}, attrs.Posix{Mtime: time.Unix(-2, 500_000_000)}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, attrs.Decode(object(tt.size, tt.meta))); diff != "" {
				t.Error(diff)
			}
		})
	}
	if diff := cmp.Diff(attrs.Posix{}, attrs.Decode(store.Object{Size: 1})); diff != "" {
		t.Errorf("no headers: %s", diff)
	}
}

func TestEncode(t *testing.T) {
	at := time.Unix(1_700_000_000, 5)
	tests := map[string]struct {
		posix     attrs.Posix
		had, want meta
	}{
		"nothing": {attrs.Posix{}, meta{"note": "x", "mode": "33188"}, meta{"note": "x", "mode": "33188"}},
		"all": {
			attrs.Posix{Has: attrs.HasMode | attrs.HasUID | attrs.HasGID, Mode: 0o755, UID: 1, GID: 2, Mtime: at, Atime: at, Ctime: at},
			nil,
			meta{"mode": "33261", "uid": "1", "gid": "2", "mtime": "1700000000.000000005", "atime": "1700000000.000000005", "ctime": "1700000000.000000005"},
		},
		"whole seconds": {attrs.Posix{Mtime: time.Unix(5, 0)}, nil, meta{"mtime": "5"}},
		"directory":     {attrs.Posix{Has: attrs.HasMode, Mode: 0o40700}, nil, meta{"mode": "16832"}},
		"link":          {attrs.Posix{Link: "über b"}, nil, meta{"mode": "40960", "--symlink-target": "%c3%bcber b"}},
		"link no more":  {attrs.Posix{Has: attrs.HasMode, Mode: 0o644}, meta{"--symlink-target": "x"}, meta{"mode": "33188"}},
		"others in step": {
			attrs.Posix{Has: attrs.HasMode | attrs.HasUID, Mode: 0o600, UID: 9, Mtime: at},
			meta{"file-permissions": "0100664", "file-owner": "7", "file-mtime": "5", "goog-reserved-posix-mode": "644"},
			meta{
				"mode": "33152", "uid": "9", "mtime": "1700000000.000000005",
				"file-permissions": "0100600", "file-owner": "9", "file-mtime": "1700000000000000005ns", "goog-reserved-posix-mode": "0100600",
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := store.Headers{ContentType: "text/plain", Metadata: maps.Clone(tt.had)}
			if err := tt.posix.Encode(&h); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(store.Headers{ContentType: "text/plain", Metadata: tt.want}, h); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEncodeDoesNotTouchTheCallersMap(t *testing.T) {
	shared := meta{"note": "x"}
	h := store.Headers{Metadata: shared}
	if err := (attrs.Posix{Has: attrs.HasUID, UID: 4}).Encode(&h); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(meta{"note": "x"}, shared); diff != "" {
		t.Error(diff)
	}
}

// What s3fs and rclone make of a time: s3fs takes the digits behind the dot as a
// number of nanoseconds (metaheader.cpp), rclone as decimals.
func TestTimesReadAlikeByS3fsAndRclone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "sec"), rapid.Int64Range(0, 999_999_999).Draw(t, "nsec"))
		var h store.Headers
		if err := (attrs.Posix{Mtime: want}).Encode(&h); err != nil {
			t.Fatal(err)
		}
		text := h.Metadata["mtime"]
		whole, fraction, _ := strings.Cut(text, ".")
		sec, err := strconv.ParseInt(whole, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		nsec, err := strconv.ParseInt("0"+fraction, 10, 64)
		if s3fs := time.Unix(sec, nsec); err != nil || !s3fs.Equal(want) {
			t.Errorf("s3fs reads %q as %v (%v), want %v", text, s3fs, err, want)
		}
		seconds, err := strconv.ParseFloat(text, 64)
		if err != nil || seconds < float64(want.UnixNano())/1e9-1e-6 || seconds > float64(want.UnixNano())/1e9+1e-6 {
			t.Errorf("a float reader reads %q as %v (%v)", text, seconds, err)
		}
	})
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		instant := rapid.Custom(func(t *rapid.T) time.Time {
			if rapid.Bool().Draw(t, "unset") {
				return time.Time{}
			}
			return time.Unix(rapid.Int64Range(-1<<35, 1<<35).Draw(t, "sec"), rapid.Int64Range(0, 999_999_999).Draw(t, "nsec"))
		})
		p := attrs.Posix{
			Has: attrs.Field(rapid.IntRange(0, 7).Draw(t, "has")), Atime: instant.Draw(t, "a"), Mtime: instant.Draw(t, "m"), Ctime: instant.Draw(t, "c"),
		}
		if p.Has&attrs.HasMode != 0 {
			p.Mode = rapid.Uint32Range(0, 0o7777).Draw(t, "mode") | rapid.SampledFrom([]uint32{attrs.TypeRegular, attrs.TypeDir}).Draw(t, "type")
		}
		if p.Has&attrs.HasUID != 0 {
			p.UID = rapid.Uint32().Draw(t, "uid")
		}
		if p.Has&attrs.HasGID != 0 {
			p.GID = rapid.Uint32().Draw(t, "gid")
		}
		h := foreign(t)
		if err := p.Encode(&h); err != nil {
			t.Fatal(err)
		}
		got := attrs.Decode(object(1, h.Metadata))
		// What p does not record is what the object had.
		if p.Has&attrs.HasMode == 0 {
			got.Has, got.Mode = got.Has&^attrs.HasMode, 0
		}
		if p.Has&attrs.HasUID == 0 {
			got.Has, got.UID = got.Has&^attrs.HasUID, 0
		}
		if p.Has&attrs.HasGID == 0 {
			got.Has, got.GID = got.Has&^attrs.HasGID, 0
		}
		for _, at := range []struct{ want, got *time.Time }{{&p.Atime, &got.Atime}, {&p.Mtime, &got.Mtime}, {&p.Ctime, &got.Ctime}} {
			if at.want.IsZero() {
				*at.got = time.Time{}
			}
		}
		if diff := cmp.Diff(p, got); diff != "" {
			t.Error(diff)
		}
	})
}

// foreign are headers as other programs leave them.
func foreign(t *rapid.T) store.Headers {
	names := []string{"file-permissions", "file-owner", "file-mtime", "goog-reserved-posix-mode", "mode", "uid", "mtime", "note"}
	m := meta{}
	for _, n := range rapid.SliceOfN(rapid.SampledFrom(names), 0, 4).Draw(t, "foreign") {
		m[n] = rapid.SampledFrom([]string{"", "1", "0100644", "17ns", "x"}).Draw(t, n)
	}
	return store.Headers{Metadata: m}
}

func TestTooLarge(t *testing.T) {
	h := store.Headers{Metadata: meta{"note": strings.Repeat("x", 1900)}}
	before := h.Clone()
	p := attrs.Posix{Has: attrs.HasUID, Link: strings.Repeat("y", 100)}
	if err := p.Encode(&h); !errors.Is(err, attrs.ErrMetadataTooLarge) {
		t.Errorf("Encode: %v", err)
	}
	if err := attrs.SetXattr(&h, "user.big", make([]byte, 60)); !errors.Is(err, attrs.ErrMetadataTooLarge) {
		t.Errorf("SetXattr: %v", err)
	}
	if diff := cmp.Diff(before, h); diff != "" {
		t.Errorf("headers have changed: %s", diff)
	}
	if err := attrs.SetXattr(&h, "user.small", make([]byte, 10)); err != nil {
		t.Errorf("SetXattr that fits: %v", err)
	}
}

func FuzzLink(f *testing.F) {
	for _, s := range []string{"a", "../b c", "ü", "%41", " lead", "trail ", "a  b", "=?x?=", "\x00\xff\n", "=?UTF-8?Q?a?="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, target string) {
		if target == "" || len(target) > 500 {
			return
		}
		var h store.Headers
		if err := (attrs.Posix{Link: target}).Encode(&h); err != nil {
			t.Fatal(err)
		}
		checkASCII(t, h)
		if got := attrs.Decode(object(0, h.Metadata)); got.Link != target || !got.IsSymlink() {
			t.Errorf("%q became %q", target, got.Link)
		}
	})
}

// checkASCII requires what every server and proxy passes on unchanged.
func checkASCII(t *testing.T, h store.Headers) {
	t.Helper()
	for name, value := range h.Metadata {
		for _, c := range []byte(name + value) {
			if c < ' ' || c > '~' {
				t.Errorf("%q: %q is not printable ASCII", name, value)
			}
		}
		if name != strings.ToLower(name) || strings.ContainsAny(name, " :()<>@,;\\\"/[]?={}") {
			t.Errorf("%q is no header name", name)
		}
		if value == "" || value != strings.TrimSpace(value) || strings.Contains(value, "  ") {
			t.Errorf("%q: blanks of %q would be lost", name, value)
		}
	}
}

func ExampleDecode() {
	o := store.Object{Key: "private/me/a", Size: 3, Headers: &store.Headers{Metadata: map[string]string{"mode": "33188", "mtime": "1700000000"}}}
	p := attrs.Decode(o)
	fmt.Printf("%o %s\n", p.Mode, p.Mtime.UTC().Format(time.RFC3339))
	// Output: 100644 2023-11-14T22:13:20Z
}
