package setup

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/s3levelfs/s3levelfs/store/s3store"
)

// CORSRuleID is the name that Amplify's CLI and Gen 2 give their rule.
const CORSRuleID = corsRuleName + "1"

const corsRuleName = "S3CORSRuleId"

// maxCORSRules of a bucket. Source: S3 user guide, "Elements of a CORS configuration".
const maxCORSRules = 100

// AmplifyCORS is the rule that Amplify makes, for these origins (none = "*"), and
// with more headers of answers that a page may read. x-amz-version-id is
// StorageBrowser's; metadata is readable only where its header is named
// ("x-amz-meta-author"). Sources: Storage guide v1, "Amazon S3 Bucket CORS Policy
// Setup"; amplify-category-storage and backend-storage, which have the same.
func AmplifyCORS(origins, expose []string) s3store.CORSRule {
	if len(origins) == 0 {
		origins = []string{"*"}
	}
	age := int32(3000)
	rule := s3store.CORSRule{
		ID: CORSRuleID, AllowedHeaders: []string{"*"}, AllowedMethods: CORSMethods(), AllowedOrigins: origins,
		ExposeHeaders: []string{"x-amz-server-side-encryption", "x-amz-request-id", "x-amz-id-2", "ETag", "x-amz-version-id"},
		MaxAgeSeconds: &age,
	}
	rule.ExposeHeaders = union(rule.ExposeHeaders, expose, strings.EqualFold)
	return rule
}

// CORSMethods are those that an Amplify app's requests have.
func CORSMethods() []string { return []string{"GET", "HEAD", "PUT", "POST", "DELETE"} }

// RequestHeaders are those of an Amplify app's requests that a browser asks about
// first. Source: requests of aws-amplify 5 and 6.
func RequestHeaders() []string {
	return []string{
		"authorization", "content-type", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token", "x-amz-user-agent",
		"x-amz-checksum-crc32", "x-amz-copy-source", "x-amz-server-side-encryption", "cache-control", "content-disposition", "if-none-match", "x-amz-meta-name",
	}
}

// MergeCORS adds what rules lack of want. Where one rule has all of it nothing
// changes. Amplify's rule for the same origins gains what it lacks; one for others
// does not, as that would open to them what nobody has asked for: then a rule is
// added under the next free name. changes say each difference in words.
func MergeCORS(rules []s3store.CORSRule, want s3store.CORSRule) (merged []s3store.CORSRule, changes []string, err error) {
	if slices.ContainsFunc(rules, func(r s3store.CORSRule) bool { return len(lacking(r, want)) == 0 }) {
		return rules, nil, nil
	}
	merged = slices.Clone(rules)
	if at := slices.IndexFunc(merged, func(r s3store.CORSRule) bool { return ours(r) && sameOrigins(r, want) }); at >= 0 {
		changes = lacking(merged[at], want)
		merged[at] = extended(merged[at], want)
		return merged, changes, nil
	}
	if len(merged) >= maxCORSRules {
		return nil, nil, fmt.Errorf("the bucket has %d CORS rules, and S3 allows no more: remove one", len(merged))
	}
	for n := 2; slices.ContainsFunc(merged, func(r s3store.CORSRule) bool { return r.ID == want.ID }); n++ {
		want.ID = corsRuleName + strconv.Itoa(n)
	}
	return append(merged, want), []string{fmt.Sprintf("adds rule %s for %s", want.ID, strings.Join(want.AllowedOrigins, ", "))}, nil
}

func ours(r s3store.CORSRule) bool { return strings.HasPrefix(r.ID, corsRuleName) }

func sameOrigins(a, b s3store.CORSRule) bool {
	return len(missing(a.AllowedOrigins, b.AllowedOrigins, covers)) == 0 && len(missing(b.AllowedOrigins, a.AllowedOrigins, covers)) == 0
}

// Hidden says of which requests another rule decides before one that has all of
// want, so that pages may not read what that one exposes.
func Hidden(rules []s3store.CORSRule, want s3store.CORSRule) []string {
	var out []string
	for _, origin := range want.AllowedOrigins {
		for _, method := range want.AllowedMethods {
			first := Covered(rules, origin, method, "")
			if lost := missing(first.Exposed, want.ExposeHeaders, strings.EqualFold); first.Allowed && len(lost) > 0 {
				out = append(out, fmt.Sprintf("rule %q comes first for %s from %s and does not expose %s", first.Rule, method, origin, strings.Join(lost, ", ")))
			}
		}
	}
	return out
}

// lacking says what a rule does not have of want.
func lacking(r, want s3store.CORSRule) []string {
	var out []string
	add := func(what string, missing []string) {
		if len(missing) > 0 {
			out = append(out, fmt.Sprintf("rule %s gains %s %s", r.ID, what, strings.Join(missing, ", ")))
		}
	}
	add("methods", missing(r.AllowedMethods, want.AllowedMethods, equal))
	add("origins", missing(r.AllowedOrigins, want.AllowedOrigins, covers))
	add("request headers", missing(r.AllowedHeaders, want.AllowedHeaders, coversFold))
	add("exposed headers", missing(r.ExposeHeaders, want.ExposeHeaders, strings.EqualFold))
	return out
}

// extended is a rule with all that it had and all of want. An age that is set stays.
func extended(r, want s3store.CORSRule) s3store.CORSRule {
	r.AllowedMethods = union(r.AllowedMethods, want.AllowedMethods, equal)
	r.AllowedHeaders = union(r.AllowedHeaders, want.AllowedHeaders, coversFold)
	r.ExposeHeaders = union(r.ExposeHeaders, want.ExposeHeaders, strings.EqualFold)
	if r.MaxAgeSeconds == nil {
		r.MaxAgeSeconds = want.MaxAgeSeconds
	}
	return r
}

func equal(a, b string) bool { return a == b }

func coversFold(pattern, s string) bool { return covers(strings.ToLower(pattern), strings.ToLower(s)) }

// covers compares with a pattern that has one star at most, as S3 does.
func covers(pattern, s string) bool {
	before, after, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == s
	}
	return len(s) >= len(before)+len(after) && strings.HasPrefix(s, before) && strings.HasSuffix(s, after)
}

// missing are the words that no entry has.
func missing(entries, words []string, has func(entry, word string) bool) []string {
	var out []string
	for _, w := range words {
		if !slices.ContainsFunc(entries, func(e string) bool { return has(e, w) }) {
			out = append(out, w)
		}
	}
	return out
}

func union(entries, words []string, has func(entry, word string) bool) []string {
	out := slices.Clone(entries)
	for _, w := range words {
		out = append(out, missing(out, []string{w}, has)...)
	}
	return out
}

// Cover is what the first rule for a page's request lets it do, as S3 chooses it:
// the first one that has origin, method and header decides.
type Cover struct {
	Rule    string   // its name; "" = it has none, or there is no rule
	Allowed bool     // the request
	Exposed []string // headers of the answer that the page may read
}

// Covered finds the rule for a request with one header ("" = with none) from a page of origin.
func Covered(rules []s3store.CORSRule, origin, method, header string) Cover {
	for _, r := range rules {
		if slices.Contains(r.AllowedMethods, method) && len(missing(r.AllowedOrigins, []string{origin}, covers)) == 0 &&
			(header == "" || len(missing(r.AllowedHeaders, []string{header}, coversFold)) == 0) {
			return Cover{Rule: r.ID, Allowed: true, Exposed: r.ExposeHeaders}
		}
	}
	return Cover{}
}

// CORSXML is rules as the S3 API takes them.
func CORSXML(rules []s3store.CORSRule) ([]byte, error) {
	text, err := xml.MarshalIndent(struct {
		XMLName xml.Name           `xml:"http://s3.amazonaws.com/doc/2006-03-01/ CORSConfiguration"`
		Rules   []s3store.CORSRule `xml:"CORSRule"`
	}{Rules: rules}, "", "  ")
	return append(text, '\n'), err
}

// CheckOrigin refuses what no browser sends as Origin and no rule can name.
func CheckOrigin(o string) error {
	_, host, ok := strings.Cut(o, "://")
	if o == "*" || ok && host != "" && !strings.ContainsAny(host, "/ ,") && strings.Count(o, "*") <= 1 {
		return nil
	}
	return fmt.Errorf("origin %q is none: write scheme, host and port without a path, such as https://app.example.com, with one * at most", o)
}
