package attrs

import (
	"mime"
	"net/url"
	"strings"
)

const lowerHex = "0123456789abcdef"

// emptyWord stands for an empty value, which some servers drop: RFC 2047's
// empty word, so that whoever decodes those sees an empty value too.
const emptyWord = "=?UTF-8?Q??="

// escapeName makes a metadata name of an extended attribute's: letters that a
// header would fold and bytes that it can not carry become %xx. A name that
// means an attribute here gets its first byte escaped.
func escapeName(short string) string {
	var b strings.Builder
	for i := range len(short) {
		if c := short[i]; nameByte(c) {
			b.WriteByte(c)
		} else {
			writeEscape(&b, c)
		}
	}
	if name := b.String(); !reservedName(name) {
		return name
	}
	b.Reset()
	writeEscape(&b, short[0])
	return b.String() + short[1:]
}

// nameByte: '-', '.', '_', digits and lower-case letters pass every server.
func nameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_'
}

// unescapeName is the inverse of escapeName; a name with a broken escape is
// shown as it is.
func unescapeName(header string) string {
	if s, err := url.PathUnescape(header); err == nil && s != "" {
		return s
	}
	return header
}

// escapeValue makes a header value of any bytes: printable ASCII passes, but for
// '%' and for blanks that a proxy or a signature would trim or fold.
func escapeValue(value string) string {
	if value == "" {
		return emptyWord
	}
	var b strings.Builder
	for i := range len(value) {
		c := value[i]
		switch {
		case c == ' ' && i > 0 && i < len(value)-1 && value[i-1] != ' ':
			b.WriteByte(c)
		case c == '=' && i == 0: // might be taken for an RFC 2047 word
			writeEscape(&b, c)
		case c > ' ' && c < 0x7f && c != '%':
			b.WriteByte(c)
		default:
			writeEscape(&b, c)
		}
	}
	return b.String()
}

// unescapeValue is the inverse of escapeValue. S3 answers values that are not
// ASCII as RFC 2047 words: these are decoded. Values with a broken
// escape were written by somebody who does not escape: they are kept.
func unescapeValue(raw string) string {
	if strings.HasPrefix(raw, "=?") && strings.HasSuffix(raw, "?=") {
		if s, err := new(mime.WordDecoder).DecodeHeader(raw); err == nil {
			return s
		}
		return raw
	}
	if s, err := url.PathUnescape(raw); err == nil {
		return s
	}
	return raw
}

func writeEscape(b *strings.Builder, c byte) {
	b.WriteByte('%')
	b.WriteByte(lowerHex[c>>4])
	b.WriteByte(lowerHex[c&15])
}
