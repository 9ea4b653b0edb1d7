package store

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// ClassStandard is the storage class of an object that names none.
const ClassStandard = "STANDARD"

// MaxSystemHeaders bounds names and values of the headers of an object that are not metadata, bytes. Source: S3 user guide,
// "Working with object metadata": 8 KB of headers in a PUT, of which 2 KB for the system's.
const MaxSystemHeaders = 2 << 10

// NoTags as [Headers.Tags] takes an object's tags away: it is the encoding of none.
const NoTags = "&"

// Bounds of an object's tags; those of keys and values are characters. Source: S3 user guide, "Categorizing your objects using tags".
const (
	maxTags     = 10
	maxTagKey   = 128
	maxTagValue = 256
)

// ErrHeadersTooLarge says that an object's headers are longer than S3 takes them.
var ErrHeadersTooLarge = errors.New("the headers are larger than S3 takes them")

// classes of S3 that an object can be given. Source: S3 API reference, PutObject.
func classes() []string {
	return []string{
		ClassStandard, "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER", "DEEP_ARCHIVE",
		"OUTPOSTS", "GLACIER_IR", "SNOW", "EXPRESS_ONEZONE", "FSX_OPENZFS",
	}
}

// Validate reports the first header that S3 would refuse, metadata left out: it would do so each time that the object is sent.
// Too many of them are [ErrHeadersTooLarge], whatever else is wrong.
func (h Headers) Validate() error {
	fields, size := h.system(), 0
	for _, f := range fields {
		if f.value != "" {
			size += len(f.name) + len(f.value)
		}
	}
	if size > MaxSystemHeaders {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrHeadersTooLarge, size, MaxSystemHeaders)
	}
	for _, f := range fields {
		if !printable(f.value) {
			return fmt.Errorf("%s %q: a header is printable ASCII without blanks at its ends", f.name, f.value)
		}
	}
	if h.Tags != "" && h.Tags != NoTags {
		if _, err := ParseTags(h.Tags); err != nil {
			return err
		}
	}
	if h.ACL != "" && !slices.Contains(acls(), h.ACL) {
		return fmt.Errorf("acl %q: must be one of %s", h.ACL, strings.Join(acls(), ", "))
	}
	if h.StorageClass != "" && !slices.Contains(classes(), h.StorageClass) {
		return fmt.Errorf("storage class %q: must be one of %s", h.StorageClass, strings.Join(classes(), ", "))
	}
	return nil
}

// ParseTags reads k=v&k2=v2, URL-encoded, and gives it in the form that S3 is sent: in order, each key once.
func ParseTags(text string) (string, error) {
	tags, err := url.ParseQuery(text)
	switch {
	case err != nil || len(tags) == 0:
		return "", fmt.Errorf("tags %q: must be KEY=VALUE&KEY=VALUE, URL-encoded", text)
	case len(tags) > maxTags:
		return "", fmt.Errorf("tags %q: are %d, at most %d", text, len(tags), maxTags)
	}
	for key, values := range tags {
		if key == "" || len(values) > 1 || utf8.RuneCountInString(key) > maxTagKey || utf8.RuneCountInString(values[0]) > maxTagValue {
			return "", fmt.Errorf("tag %q: must be there once, with a key of 1 to %d and a value of at most %d characters", key, maxTagKey, maxTagValue)
		}
	}
	return tags.Encode(), nil
}

// acls are the canned lists that an object can have. Source: S3 user guide, "Canned ACL".
func acls() []string {
	return []string{
		"private", "public-read", "public-read-write", "authenticated-read", "aws-exec-read", "bucket-owner-read", "bucket-owner-full-control",
	}
}

type field struct{ name, value string }

// system are the headers that count as the system's.
func (h Headers) system() []field {
	return []field{
		{"content-type", h.ContentType},
		{"content-encoding", h.ContentEncoding},
		{"content-disposition", h.ContentDisposition},
		{"content-language", h.ContentLanguage},
		{"cache-control", h.CacheControl},
		{"expires", h.Expires},
		{"website-redirect", h.WebsiteRedirect},
		{"kms-key-id", h.SSEKMSKeyID},
	}
}

// printable: what a header carries unchanged.
func printable(value string) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c >= 0x7f {
			return false
		}
	}
	return strings.Trim(value, " \t") == value
}
