package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ClassStandard is the storage class of an object that names none.
const ClassStandard = "STANDARD"

// MaxSystemHeaders bounds names and values of the headers of an object that are not metadata, bytes. Source: S3 user guide,
// "Working with object metadata": 8 KB of headers in a PUT, of which 2 KB for the system's.
const MaxSystemHeaders = 2 << 10

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
	if h.StorageClass != "" && !slices.Contains(classes(), h.StorageClass) {
		return fmt.Errorf("storage class %q: must be one of %s", h.StorageClass, strings.Join(classes(), ", "))
	}
	return nil
}

type field struct{ name, value string }

// system are the headers that count as the system's.
func (h Headers) system() []field {
	return []field{
		{"content-type", h.ContentType}, {"content-encoding", h.ContentEncoding}, {"content-disposition", h.ContentDisposition},
		{"content-language", h.ContentLanguage}, {"cache-control", h.CacheControl}, {"expires", h.Expires},
		{"website-redirect", h.WebsiteRedirect}, {"kms-key-id", h.SSEKMSKeyID},
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
