// Package objectopts holds the options of objects that are created: the headers which Amplify's put takes, by their names as
// flags, variables, keys of the TOML file, and for keys that match a pattern.
package objectopts

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
)

// Options are the headers of a new object. The zero value sets none.
type Options struct {
	headers store.Headers
	expires Expires
	given   map[string]bool // by name: what is set, if only to nothing
}

// Names are the names that Set knows, in the order of the manual.
func Names() []string {
	return []string{
		"content-type", "cache-control", "content-disposition", "content-encoding", "content-language", "expires",
		"metadata", "tags", "storage-class", "acl", "sse", "sse-kms-key-id", "bucket-key",
	}
}

// Parse reads options by their names; the empty text sets nothing. The error names the option, its value and what it may be.
func Parse(settings map[string]string) (Options, error) {
	var o Options
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if err := o.Set(name, settings[name]); err != nil {
			return Options{}, err
		}
	}
	return o, o.check()
}

// text is the header that an option sets as its text has it; nil = the option is none, or has a form of its own.
func text(h *store.Headers, name string) *string {
	switch name {
	case "content-type":
		return &h.ContentType
	case "cache-control":
		return &h.CacheControl
	case "content-disposition":
		return &h.ContentDisposition
	case "content-encoding":
		return &h.ContentEncoding
	case "content-language":
		return &h.ContentLanguage
	case "storage-class":
		return &h.StorageClass
	case "acl":
		return &h.ACL
	case "sse":
		return &h.SSE
	case "sse-kms-key-id":
		return &h.SSEKMSKeyID
	case "tags":
		return &h.Tags
	}
	return nil
}

// Set sets one option; "" takes it back.
func (o *Options) Set(name, value string) error {
	h := &o.headers
	if field := text(h, name); field != nil {
		*field = value
	}
	var err error
	switch name {
	case "expires":
		o.expires, err = ParseExpires(value)
	case "metadata":
		h.Metadata, err = parseMetadata(value)
	case "tags":
		if value != "" {
			h.Tags, err = store.ParseTags(value)
		}
	case "sse":
		if value != "" && !slices.Contains(encryptions(), value) {
			err = fmt.Errorf("%q is not one of %s", value, strings.Join(encryptions(), ", "))
		}
	case "bucket-key":
		if h.BucketKey = false; value != "" {
			if h.BucketKey, err = strconv.ParseBool(value); err != nil {
				err = fmt.Errorf("%q is neither true nor false", value)
			}
		}
	default:
		if text(h, name) == nil {
			err = fmt.Errorf("no such option of objects; there are %s", strings.Join(Names(), ", "))
		}
	}
	if err == nil {
		err = h.Validate()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if o.given == nil {
		o.given = map[string]bool{}
	}
	o.given[name] = true
	return nil
}

// encryptions are the values of x-amz-server-side-encryption. Source: S3 API reference, PutObject.
func encryptions() []string { return []string{"AES256", "aws:kms", "aws:kms:dsse"} }

// check refuses what S3 would refuse of options that do not go together.
func (o Options) check() error {
	kms := strings.HasPrefix(o.headers.SSE, "aws:kms")
	switch {
	case o.headers.SSEKMSKeyID != "" && !kms:
		return fmt.Errorf("sse-kms-key-id %q: needs --sse aws:kms", o.headers.SSEKMSKeyID)
	case o.headers.BucketKey && !kms:
		return fmt.Errorf("bucket-key: needs --sse aws:kms")
	}
	return nil
}

// Headers are those of an object that is created at that time.
func (o Options) Headers(now time.Time) store.Headers {
	h := o.headers.Clone()
	h.Expires = o.expires.At(now)
	if h.StorageClass == store.ClassStandard {
		h.StorageClass = ""
	}
	return h
}

// over gives the options of o where it has them, else those of weaker.
func (o Options) over(weaker Options) Options {
	out := Options{headers: weaker.headers.Clone(), expires: weaker.expires, given: maps.Clone(weaker.given)}
	if out.given == nil {
		out.given = map[string]bool{}
	}
	h := o.headers
	for name := range o.given {
		out.given[name] = true
		switch name {
		case "bucket-key":
			out.headers.BucketKey = h.BucketKey
		case "expires":
			out.expires = o.expires
		case "metadata":
			out.headers.Metadata = maps.Clone(h.Metadata)
		default:
			*text(&out.headers, name) = *text(&h, name)
		}
	}
	return out
}

// parseMetadata reads NAME=VALUE&NAME=VALUE, URL-encoded. Names are lower-cased, as HTTP has them.
func parseMetadata(text string) (map[string]string, error) {
	if text == "" {
		return nil, nil
	}
	pairs, err := url.ParseQuery(text)
	noValue := func(pair string) bool { return pair != "" && !strings.Contains(pair, "=") }
	if err != nil || len(pairs) == 0 || slices.ContainsFunc(strings.Split(text, "&"), noValue) {
		return nil, fmt.Errorf("%q must be NAME=VALUE&NAME=VALUE, URL-encoded", text)
	}
	m, size := map[string]string{}, 0
	for name, values := range pairs {
		lower := strings.ToLower(name)
		if _, twice := m[lower]; twice || len(values) > 1 {
			return nil, fmt.Errorf("%q is there twice", lower)
		}
		if !token(lower) || !plain(values[0]) {
			return nil, fmt.Errorf("%q=%q: a name is letters, digits and -._, a value printable ASCII without blanks at its ends", name, values[0])
		}
		m[lower] = values[0]
		size += len(lower) + len(values[0])
	}
	if size > maxMetadata {
		return nil, fmt.Errorf("is %d bytes, at most %d", size, maxMetadata)
	}
	return m, nil
}

// maxMetadata is what S3 takes of metadata, bytes, less what the mount adds of its own. Source: S3 user guide, "Working with object metadata".
const maxMetadata = 2<<10 - 256

func token(name string) bool {
	return name != "" && strings.IndexFunc(name, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_'
	}) < 0
}

func plain(value string) bool {
	return strings.Trim(value, " ") == value && strings.IndexFunc(value, func(c rune) bool { return c < ' ' || c >= 0x7f }) < 0
}
