package rolepolicy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/internal/rolepolicy"
)

func TestParseRules(t *testing.T) {
	const one = `{"version":"1.4","storage":{"aws_region":"eu-west-1","bucket_name":"b1","buckets":[{"name":"first","bucket_name":"b1","aws_region":"eu-west-1",
		"paths":{"public/*":{"guest":["get","list"]}}}]}}`
	const two = `{"storage":{"buckets":[{"name":"first","bucket_name":"b1","paths":{"a/*":{"guest":["get"]}}},{"name":"second","bucket_name":"b2","paths":{"c/*":{"guest":["get"]}}}]}}`
	for _, tt := range []struct {
		text, bucket, found string
		path                string
	}{
		{one, "", "b1", "public/*"},
		{two, "b2", "b2", "c/*"},
		{two, "first", "b1", "a/*"},
		{`{"media/*": {"authenticated": ["read"]}}`, "b9", "", "media/*"},
	} {
		rules, name, err := rolepolicy.ParseRules([]byte(tt.text), tt.bucket)
		if err != nil || name != tt.found || len(rules) != 1 || rules[tt.path] == nil {
			t.Errorf("%s: %v, %q, %v", tt.bucket, rules, name, err)
		}
	}
	for want, tt := range map[string][2]string{
		"several buckets (b1, b2)":         {two, ""},
		`bucket "b3" is not among`:         {two, "b3"},
		"storage.buckets[].paths is":       {`{"storage":{"bucket_name":"b"}}`, ""},
		"no JSON of rules":                 {`export default {}`, ""},
		"neither an amplify_outputs.json ": {`{"version": "1.4"}`, ""},
	} {
		if rules, _, err := rolepolicy.ParseRules([]byte(tt[0]), tt[1]); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, %v, want %q", cmp.Diff(nil, rules), err, want)
		}
	}
}
