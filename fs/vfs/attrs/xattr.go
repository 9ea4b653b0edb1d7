package attrs

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/s3levelfs/s3levelfs/store"
)

// userNamespace is the only namespace of extended attributes that objects carry.
const userNamespace = "user."

// s3fsXattrs is s3fs's header: percent-encoded JSON of name -> base64 value.
const s3fsXattrs = "xattr"

// ErrNamespace says that a name is not in the user namespace.
var ErrNamespace = errors.New("only user.* extended attributes can be stored")

// GetXattr returns the value of an extended attribute ("user.NAME").
func GetXattr(h store.Headers, attr string) (value []byte, ok bool) {
	if header, ok := findXattr(h.Metadata, attr); ok {
		if _, meta := isMeta(attr); meta {
			return []byte(metaValue(h.Metadata[header])), true
		}
		return []byte(unescapeValue(h.Metadata[header])), true
	}
	value, ok = decodeS3FS(h.Metadata[s3fsXattrs])[attr]
	return value, ok && strings.HasPrefix(attr, userNamespace)
}

// SetXattr records an extended attribute. It gives ErrNamespace for
// names that are not user.*, ErrReserved and ErrNotHeader for what user.meta.* can not be, and ErrMetadataTooLarge; h is unchanged then.
func SetXattr(h *store.Headers, attr string, value []byte) error {
	if header, ok := isMeta(attr); ok {
		return setMeta(h, header, string(value))
	}
	short, ok := strings.CutPrefix(attr, userNamespace)
	if !ok || short == "" {
		return ErrNamespace
	}
	header := escapeName(short)
	next := h.Clone()
	if next.Metadata == nil {
		next.Metadata = map[string]string{}
	}
	dropXattr(next.Metadata, attr)
	next.Metadata[header] = escapeValue(string(value))
	if err := CheckSize(next); err != nil {
		return err
	}
	*h = next
	return nil
}

// RemoveXattr removes an extended attribute and reports whether there was one.
func RemoveXattr(h *store.Headers, attr string) bool {
	if _, ok := GetXattr(*h, attr); !ok {
		return false
	}
	next := h.Clone()
	dropXattr(next.Metadata, attr)
	*h = next
	return true
}

// ListXattr returns the names of all extended attributes, in order.
func ListXattr(h store.Headers) []string {
	var names []string
	for header := range h.Metadata {
		if reservedName(header) {
			continue
		}
		names = append(names, shownName(header))
	}
	for attr := range decodeS3FS(h.Metadata[s3fsXattrs]) {
		if strings.HasPrefix(attr, userNamespace) {
			names = append(names, attr)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// findXattr finds the header of an extended attribute: the one that SetXattr
// would write, else any that is shown under that name (others may escape
// more than needed, or not at all).
func findXattr(m map[string]string, attr string) (header string, ok bool) {
	short, ok := strings.CutPrefix(attr, userNamespace)
	if !ok || short == "" {
		return "", false
	}
	if lower, ok := isMeta(attr); ok {
		for _, header := range []string{attr[len(MetaPrefix):], lower} {
			if _, there := m[header]; there && !reservedName(header) {
				return header, true
			}
		}
		return "", false
	}
	header = escapeName(short)
	if _, ok := m[header]; ok {
		return header, true
	}
	for header := range m {
		if !reservedName(header) && unescapeName(header) == short {
			return header, true
		}
	}
	return "", false
}

// dropXattr removes an extended attribute in all its spellings.
func dropXattr(m map[string]string, attr string) {
	for header, ok := findXattr(m, attr); ok; header, ok = findXattr(m, attr) {
		delete(m, header)
	}
	dropS3FS(m, attr)
}

// decodeS3FS reads s3fs's header; one that makes no sense holds nothing.
func decodeS3FS(raw string) map[string][]byte {
	if raw == "" {
		return nil
	}
	text, err := url.QueryUnescape(raw)
	if err != nil {
		return nil
	}
	var coded map[string]string
	if json.Unmarshal([]byte(text), &coded) != nil {
		return nil
	}
	values := make(map[string][]byte, len(coded))
	for attr, v := range coded {
		if value, err := base64.StdEncoding.DecodeString(v); err == nil {
			values[attr] = value
		}
	}
	return values
}

// dropS3FS removes one attribute from s3fs's header.
func dropS3FS(m map[string]string, attr string) {
	values := decodeS3FS(m[s3fsXattrs])
	if _, ok := values[attr]; !ok {
		return
	}
	delete(values, attr)
	if len(values) == 0 {
		delete(m, s3fsXattrs)
		return
	}
	text, err := json.Marshal(values) // []byte becomes base64
	if err != nil {
		return
	}
	m[s3fsXattrs] = url.QueryEscape(string(text))
}
