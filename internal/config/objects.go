package config

import (
	"errors"
	"fmt"
	"net/url"
)

// mapValue is a setting of a name in a map; "" is as good as none.
type mapValue struct {
	m    map[string]string
	name string
}

func (v mapValue) set(s string) error { v.m[v.name] = s; return nil }
func (v mapValue) text() string       { return v.m[v.name] }

// objectOptions are read by package objectopts, which says what is wrong with a value.
func (c *Config) objectOptions() []Option {
	object := func(name, usage string) Option {
		return Option{Name: name, Group: GroupObject, Usage: usage, value: mapValue{c.Object, name}}
	}
	return []Option{
		object("content-type", "`TYPE` of what is created; default: by the name's extension, then by the first bytes"),
		object("cache-control", "`VALUE` of Cache-Control of what is created, such as max-age=3600"),
		object("content-disposition", "`VALUE` of Content-Disposition of what is created, such as inline"),
		object("content-encoding", "`VALUE` of Content-Encoding of what is created, such as gzip"),
		object("content-language", "`VALUE` of Content-Language of what is created, such as en"),
		object("expires", "`TIME` at which what is created expires in caches: 2030-01-01, 2030-01-01T12:00:00Z, RFC 1123, UNIX seconds or milliseconds, or +7d after it is created"),
		object("metadata", "`NAME=VALUE&...`, URL-encoded: x-amz-meta-* of what is created"),
		object("tags", "`KEY=VALUE&...`, URL-encoded: tags of what is created (needs s3:PutObjectTagging, which Amplify's roles have not)"),
		object("storage-class", "storage `CLASS` of what is created, such as STANDARD_IA or INTELLIGENT_TIERING"),
		object("acl", "canned `ACL` of what is created, such as public-read (needs s3:PutObjectAcl, and a bucket with ACLs)"),
		object("sse", "encryption `HOW` of what is created: AES256, aws:kms or aws:kms:dsse; default: the bucket's"),
		object("sse-kms-key-id", "KMS key `ID` or ARN for --sse aws:kms; default: the account's key for S3"),
		object("bucket-key", "`true` to encrypt by a bucket key, which saves requests to KMS"),
	}
}

// objectRules reads the tables [[objects]]: the names of the options of objects, and match.
func (l *Loaded) objectRules(v any, known map[string]bool, origin string) error {
	tables, ok := v.([]any)
	if !ok {
		return &Error{Name: "objects", Origin: origin, Err: errors.New(`must be tables: [[objects]], match = "*.css", cache-control = "max-age=3600"`)}
	}
	for i, t := range tables {
		table, ok := t.(map[string]any)
		if !ok {
			return &Error{Name: "objects", Origin: origin, Err: errors.New("must be tables: [[objects]]")}
		}
		r := ObjectRule{Settings: map[string]string{}, Origin: fmt.Sprintf("%s, table %d", origin, i+1)}
		for name, v := range table {
			text, err := settingText(v)
			switch {
			case err != nil:
				return &Error{Name: name, Origin: r.Origin, Err: err}
			case name == "match":
				r.Match = text
			case !known[name]:
				return &Error{Name: name, Origin: r.Origin, Err: errors.New("no such option of objects; see `s3levelfs mount -h` for their names")}
			default:
				r.Settings[name] = text
			}
		}
		l.Objects = append(l.Objects, r)
	}
	return nil
}

// settingText is a value as the option of its name takes it; a table, as of metadata and tags, is NAME=VALUE&….
func settingText(v any) (string, error) {
	switch v := v.(type) {
	case string, bool, int64, float64:
		return fmt.Sprint(v), nil
	case map[string]any:
		pairs := url.Values{}
		for name, one := range v {
			text, ok := one.(string)
			if !ok {
				return "", fmt.Errorf("%s: must be a text in quotes", name)
			}
			pairs.Set(name, text)
		}
		return pairs.Encode(), nil
	}
	return fmt.Sprint(v), nil // a date
}
