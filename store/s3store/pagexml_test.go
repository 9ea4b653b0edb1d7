package s3store

import (
	"encoding/xml"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/s3levelfs/s3levelfs/store"
)

// reference decodes a page as encoding/xml reads it.
func reference(t *rapid.T, doc string) (store.Page, string) {
	var in struct {
		IsTruncated           bool
		NextContinuationToken string
		EncodingType          string
		Contents              []struct {
			Key, ETag, StorageClass string
			Size                    int64
			LastModified            time.Time
		}
		CommonPrefixes []struct{ Prefix string }
	}
	if err := xml.Unmarshal([]byte(doc), &in); err != nil {
		t.Fatal(err)
	}
	decode := func(s string) string {
		if in.EncodingType != "url" {
			return s
		}
		out, err := url.QueryUnescape(s)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	page := store.Page{Objects: []store.Object{}, More: in.IsTruncated}
	for _, o := range in.Contents {
		page.Objects = append(page.Objects, store.Object{Key: decode(o.Key), ETag: o.ETag, Size: o.Size, LastModified: o.LastModified, StorageClass: class(o.StorageClass)})
	}
	for _, p := range in.CommonPrefixes {
		page.Prefixes = append(page.Prefixes, decode(p.Prefix))
	}
	return page, in.NextContinuationToken
}

func escaped(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a builder takes everything
	return b.String()
}

// TestPagesAreReadAsTheyAre: a page with any names, as servers write it, is read by this package, and as encoding/xml reads it.
func TestPagesAreReadAsTheyAre(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		encoded := rapid.Bool().Draw(t, "url")
		name := rapid.StringMatching(`[a-z0-9/&<>"' é+%-]{1,12}`)
		if encoded {
			name = rapid.Map(rapid.String(), url.QueryEscape)
		}
		var b strings.Builder
		b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix>p/</Prefix>`)
		if encoded {
			b.WriteString("<EncodingType>url</EncodingType>")
		}
		fmt.Fprintf(&b, "<KeyCount>7</KeyCount><MaxKeys>1000</MaxKeys><Delimiter>/</Delimiter><IsTruncated>%t</IsTruncated>\n", rapid.Bool().Draw(t, "more"))
		fmt.Fprintf(&b, "<NextContinuationToken>%s</NextContinuationToken>", escaped(rapid.StringMatching(`[a-zA-Z0-9+/=&]{0,20}`).Draw(t, "token")))
		for range rapid.IntRange(0, 5).Draw(t, "files") {
			fmt.Fprintf(&b, "<Contents><Key>%s</Key>", escaped(name.Draw(t, "key")))
			at := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "s"), rapid.Int64Range(0, 999).Draw(t, "ms")*1e6).UTC()
			fmt.Fprintf(&b, "<LastModified>%s</LastModified>\n<ETag>%s</ETag>", at.Format(time.RFC3339Nano), escaped(rapid.SampledFrom([]string{`"d41d8cd98f00b204e9800998ecf8427e-2"`, "", `W/"&"`}).Draw(t, "etag")))
			b.WriteString("<ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>")
			fmt.Fprintf(&b, "<Size>%d</Size>%s</Contents>", rapid.Int64Min(0).Draw(t, "size"), rapid.SampledFrom([]string{"", "<StorageClass>STANDARD</StorageClass>", "<StorageClass>GLACIER</StorageClass>"}).Draw(t, "class"))
		}
		for range rapid.IntRange(0, 3).Draw(t, "dirs") {
			fmt.Fprintf(&b, "<CommonPrefixes><Prefix>%s</Prefix></CommonPrefixes>", escaped(name.Draw(t, "prefix")))
		}
		b.WriteString("</ListBucketResult>\n")
		page, token, ok := parsePage([]byte(b.String()))
		if !ok {
			t.Fatalf("not read: %s", b.String())
		}
		want, wantToken := reference(t, b.String())
		if diff := cmp.Diff(want, page); diff != "" || token != wantToken {
			t.Fatal(diff, token, wantToken)
		}
	})
}

// TestDoubtfulPagesAreTheSDKs: what is not surely read as the SDK reads it is left to it: markup in texts, what XML rewrites or
// refuses, elements that say something unknown, and all that is cut, wherever.
func TestDoubtfulPagesAreTheSDKs(t *testing.T) {
	const good = `<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a</Key><Size>1</Size><LastModified>2026-01-02T03:04:05.678Z</LastModified></Contents></ListBucketResult>`
	if _, _, ok := parsePage([]byte(good)); !ok {
		t.Fatal("the good page was not read")
	}
	for n := range len(good) {
		if _, _, ok := parsePage([]byte(good[:n])); ok {
			t.Errorf("read, and cut at %d: %s", n, good[:n])
		}
	}
	for _, edit := range [][2]string{
		{"<Key>a", "<Key>a\r"},
		{"<Key>a", "<Key>\x01"},
		{"<Key>a", "<Key>\xff"},
		{"<Key>a", "<Key>&#xD;"},
		{"<Key>a", "<Key>&auml;"},
		{"<Key>a", "<Key>\uffff"},
		{"<Key>a", "<Key>ä]]>"},
		{"<Key>a", "<Key>]]>"},
		{"<Key>a", "<Key><![CDATA[a]]>"},
		{"<Key>a", "<Key><!-- -->a"},
		{"<Key>", "<Key x='y'>"},
		{"<Key>a</Key>", "<Key/>"},
		{"<Size>1", "<Size>one"},
		{"678Z", "678"},
		{"678Z", "678+01:00"},
		{">false<", ">maybe<"},
		{"<Key>a</Key>", "<Key>a</Kex>"},
		{"<Contents>", "<Contents><Unknown>1</Unknown>"},
		{"<Contents>", "<Error>1</Error><Contents>"},
		{"ListBucketResult>", "Error>"},
		{"<ListBucketResult>", "<ListBucketResult/>"},
		{"<ListBucketResult>", "<ListBucketResults>"},
		{"</ListBucketResult>", "</ListBucketResult><x>"},
		{"<IsTruncated>", "<EncodingType>url</EncodingType><Contents><Key>%zz</Key></Contents><IsTruncated>"},
	} {
		doc := strings.Replace(good, edit[0], edit[1], 1)
		if _, _, ok := parsePage([]byte(doc)); ok {
			t.Errorf("read: %s", doc)
		}
	}
}
