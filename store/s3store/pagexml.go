package s3store

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/s3levelfs/s3levelfs/store"
)

// The SDK decodes the XML of a listing by way of encoding/xml, token by token, which costs four fifths of the processor's time of
// a page. pageReader reads what servers send in one pass; of anything that it is not sure to read as the SDK does it
// keeps its hands off, and the SDK gets the answer as it came.

// maxPageBytes bounds what is held of an answer: a thousand keys with each byte escaped have less.
const maxPageBytes = 16 << 20

// pageReader is a step of the SDK's stack for one call of ListObjectsV2.
type pageReader struct {
	read  bool // the last attempt's answer was read
	page  store.Page
	token string
}

func (*pageReader) ID() string { return "readPage" }

// install puts it next to the wire.
func (r *pageReader) install(stack *middleware.Stack) error {
	return stack.Deserialize.Add(r, middleware.After)
}

// HandleDeserialize reads the answer, and leaves none of it to the SDK where that went well.
func (r *pageReader) HandleDeserialize(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
	out middleware.DeserializeOutput, m middleware.Metadata, err error,
) {
	r.read = false
	out, m, err = next.HandleDeserialize(ctx, in)
	resp, ok := out.RawResponse.(*smithyhttp.Response)
	if err != nil || !ok || resp.StatusCode != http.StatusOK || resp.Body == nil {
		return out, m, err
	}
	var body bytes.Buffer
	body.Grow(int(min(max(resp.ContentLength, 64<<10), maxPageBytes)) + bytes.MinRead)
	_, failed := body.ReadFrom(io.LimitReader(resp.Body, maxPageBytes))
	rest := io.Reader(resp.Body)
	if failed != nil {
		rest = broken{failed}
	} else if body.Len() < maxPageBytes {
		rest = http.NoBody
		r.page, r.token, r.read = parsePage(body.Bytes())
	}
	if r.read {
		body.Reset()
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(&body, rest), resp.Body}
	return out, m, nil
}

// broken is a body that ends in an error.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

// parsePage reads a ListBucketResult; ok is false for what it does not know for sure.
func parsePage(doc []byte) (page store.Page, token string, ok bool) {
	s := scanner{rest: doc}
	if bytes.HasPrefix(s.rest, []byte("<?xml ")) {
		_, s.rest, _ = bytes.Cut(s.rest, []byte("?>"))
	}
	s.space()
	if !s.root("ListBucketResult") {
		return page, "", false
	}
	page.Objects = make([]store.Object, 0, bytes.Count(s.rest, []byte("<Contents>")))
	encoded, ended := false, false
	for !ended && !s.bad {
		var name string
		switch name, ended = s.tag("ListBucketResult"); name {
		case "Contents":
			page.Objects = append(page.Objects, s.object())
		case "CommonPrefixes":
			page.Prefixes = append(page.Prefixes, s.prefixes()...)
		case "IsTruncated":
			truncated, err := strconv.ParseBool(s.text(name))
			page.More, s.bad = truncated, s.bad || err != nil
		case "NextContinuationToken":
			token = s.text(name)
		case "EncodingType":
			encoded = s.text(name) == "url"
		case "Name", "Prefix", "Delimiter", "MaxKeys", "KeyCount", "ContinuationToken", "StartAfter", "Marker":
			s.text(name)
		default:
			s.bad = s.bad || !ended
		}
	}
	if s.space(); s.bad || len(s.rest) > 0 || encoded && !unescapeKeys(&page) {
		return store.Page{}, "", false
	}
	return page, token, true
}

// unescapeKeys undoes encoding-type url.
func unescapeKeys(page *store.Page) bool {
	var err error
	for i := range page.Objects {
		if page.Objects[i].Key, err = url.QueryUnescape(page.Objects[i].Key); err != nil {
			return false
		}
	}
	for i := range page.Prefixes {
		if page.Prefixes[i], err = url.QueryUnescape(page.Prefixes[i]); err != nil {
			return false
		}
	}
	return true
}

// scanner reads the XML that servers write: elements without attributes, texts without markup. bad is set by anything else.
type scanner struct {
	rest []byte
	bad  bool
}

func (s *scanner) space() { s.rest = bytes.TrimLeft(s.rest, " \t\n") }

// root takes the begin tag of the document's element, whatever its attributes are.
func (s *scanner) root(name string) bool {
	rest, in := bytes.CutPrefix(s.rest, []byte("<"+name))
	end := bytes.IndexByte(rest, '>')
	if !in || end < 0 || end > 0 && (rest[0] != ' ' || rest[end-1] == '/') || bytes.IndexByte(rest[:end], '<') >= 0 {
		return false
	}
	s.rest = rest[end+1:]
	return true
}

// tag takes the next begin tag, or the end tag of the element that is open. An empty element counts as bad.
func (s *scanner) tag(open string) (name string, ended bool) {
	s.space()
	end := bytes.IndexByte(s.rest, '>')
	if s.bad || end < 2 || s.rest[0] != '<' {
		s.bad = true
		return "", false
	}
	inner := s.rest[1:end]
	s.rest = s.rest[end+1:]
	if inner[0] == '/' {
		s.bad = string(inner[1:]) != open
		return "", true
	}
	return known(inner), false
}

// known gives a tag's name, "" for one that is not known, without making a text of it.
func known(tag []byte) string {
	switch string(tag) {
	case "Contents":
		return "Contents"
	case "Key":
		return "Key"
	case "LastModified":
		return "LastModified"
	case "ETag":
		return "ETag"
	case "Size":
		return "Size"
	case "StorageClass":
		return "StorageClass"
	}
	return string(tag)
}

// raw takes the text of the open element, and its end tag.
func (s *scanner) raw(open string) []byte {
	end := bytes.IndexByte(s.rest, '<')
	if s.bad || end < 0 {
		s.bad = true
		return nil
	}
	text := s.rest[:end]
	tag, in := bytes.CutPrefix(s.rest[end:], []byte("</"))
	if tag, in = cutString(tag, open, in); !in || len(tag) == 0 || tag[0] != '>' || !plainText(text) {
		s.bad = true
		return nil
	}
	s.rest = tag[1:]
	return text
}

func cutString(b []byte, prefix string, in bool) ([]byte, bool) {
	if !in || len(b) < len(prefix) || string(b[:len(prefix)]) != prefix {
		return nil, false
	}
	return b[len(prefix):], true
}

// plainText: nothing in it is rewritten or refused by XML, but for what & begins.
func plainText(text []byte) bool {
	ascii := true
	for _, c := range text {
		if c < 0x20 && c != '\t' && c != '\n' || c == 0x7f {
			return false
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	return !bytes.Contains(text, []byte("]]>")) && (ascii || utf8.Valid(text) && !bytes.ContainsAny(text, "\ufffe\uffff"))
}

// text is raw with its entities replaced.
func (s *scanner) text(open string) string {
	raw := s.raw(open)
	if bytes.IndexByte(raw, '&') < 0 {
		return string(raw)
	}
	out := make([]byte, 0, 64) // enough for an ETag in its quotes, of which each object has one: on the stack
	for {
		at := bytes.IndexByte(raw, '&')
		if at < 0 {
			return string(append(out, raw...))
		}
		out = append(out, raw[:at]...)
		entity, rest, ended := bytes.Cut(raw[at+1:], []byte(";"))
		c, is := entityByte(entity)
		if !ended || !is {
			s.bad = true
			return ""
		}
		out, raw = append(out, c), rest
	}
}

// entityByte knows the entities that servers write.
func entityByte(name []byte) (byte, bool) {
	switch string(name) {
	case "quot", "#34", "#x22":
		return '"', true
	case "amp", "#38", "#x26":
		return '&', true
	case "apos", "#39", "#x27":
		return '\'', true
	case "lt", "#60", "#x3c", "#x3C":
		return '<', true
	case "gt", "#62", "#x3e", "#x3E":
		return '>', true
	}
	return 0, false
}

// object reads what is in Contents.
func (s *scanner) object() (o store.Object) {
	for !s.bad {
		name, ended := s.tag("Contents")
		if ended {
			return o
		}
		var err error
		switch name {
		case "Key":
			o.Key = s.text(name)
		case "ETag":
			o.ETag = s.text(name)
		case "Size":
			o.Size, err = strconv.ParseInt(string(s.raw(name)), 10, 64)
		case "LastModified":
			o.LastModified, err = parseDate(s.raw(name))
		case "StorageClass":
			if raw := s.raw(name); string(raw) != "STANDARD" {
				o.StorageClass = class(string(raw))
			}
		case "ChecksumAlgorithm", "ChecksumType":
			s.text(name)
		default:
			s.bad = true
		}
		s.bad = s.bad || err != nil
	}
	return o
}

// parseDate knows the form that S3 documents: in UTC, with "Z".
func parseDate(raw []byte) (time.Time, error) {
	if !bytes.HasSuffix(raw, []byte("Z")) {
		return time.Time{}, strconv.ErrSyntax
	}
	return time.Parse(time.RFC3339, string(raw))
}

// prefixes reads what is in CommonPrefixes.
func (s *scanner) prefixes() (all []string) {
	for !s.bad {
		name, ended := s.tag("CommonPrefixes")
		switch {
		case ended:
			return all
		case name == "Prefix":
			all = append(all, s.text(name))
		default:
			s.bad = true
		}
	}
	return nil
}
