package attrs

import (
	"errors"
	"slices"
	"strings"

	"github.com/s3levelfs/s3levelfs/store"
)

// MetaPrefix begins the attributes that are metadata headers under their own names and with their own values:
// user.meta.author is x-amz-meta-author, as Amplify's option metadata writes it.
const MetaPrefix = userNamespace + "meta."

// ownPrefixes begin names that have another meaning in the mount: a header of such a name is reached under MetaPrefix.
var ownPrefixes = []string{MetaPrefix, userNamespace + "s3.", userNamespace + "s3levelfs."} //nolint:gochecknoglobals // a constant table

// Errors of names and values that are no metadata header's.
var (
	// ErrReserved says that the header holds an attribute of the file, such as its mode or time.
	ErrReserved = errors.New("the header holds an attribute of the file: change it with chmod, chown or touch")
	// ErrNotHeader says that no header can have the name or the value: names are letters, digits and -._ in ASCII,
	// values printable ASCII without blanks at the ends.
	ErrNotHeader = errors.New("no header can carry it: names are letters, digits and -._, values are printable ASCII")
)

// isMeta reports whether an attribute is a metadata header by its own name.
func isMeta(attr string) (header string, ok bool) {
	header, ok = strings.CutPrefix(attr, MetaPrefix)
	return strings.ToLower(header), ok
}

// checkMeta refuses what the header of an attribute under MetaPrefix can not be. Source: S3 user guide, "User-defined
// object metadata": names are lower-cased, names and values US-ASCII; x-amz-meta-* values lose the blanks at their ends.
func checkMeta(header, value string) error {
	switch {
	case header == "":
		return ErrNotHeader
	case reservedName(header):
		return ErrReserved
	case strings.Trim(value, " ") != value:
		return ErrNotHeader
	}
	for i := range len(header) {
		if !nameByte(header[i]) && header[i] != '%' {
			return ErrNotHeader
		}
	}
	for i := range len(value) {
		if value[i] < ' ' || value[i] >= 0x7f {
			return ErrNotHeader
		}
	}
	return nil
}

// setMeta records a header under its own name.
func setMeta(h *store.Headers, header, value string) error {
	if err := checkMeta(header, value); err != nil {
		return err
	}
	next := h.Clone()
	if next.Metadata == nil {
		next.Metadata = map[string]string{}
	}
	if value == "" {
		value = emptyWord
	}
	next.Metadata[header] = value
	if err := CheckSize(next); err != nil {
		return err
	}
	*h = next
	return nil
}

// metaValue is the value of a header as it is, words of RFC 2047 decoded: so S3 answers what is not ASCII.
func metaValue(raw string) string {
	if strings.HasPrefix(raw, "=?") {
		return unescapeValue(raw)
	}
	return raw
}

// shownName is the name of the attribute that a header is listed under.
func shownName(header string) string {
	name := userNamespace + unescapeName(header)
	if slices.ContainsFunc(ownPrefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
		return MetaPrefix + header
	}
	return name
}
