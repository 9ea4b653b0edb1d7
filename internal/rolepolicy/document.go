package rolepolicy

import (
	"fmt"
	"strings"
)

// version is that of the policy language with variables.
const version = "2012-10-17"

// The effects of a [Statement].
const (
	Allow = "Allow"
	Deny  = "Deny"
)

// The actions that the statements name. Source: Service authorization reference, Amazon S3.
const (
	actionList      = "s3:ListBucket"
	actionGet       = "s3:GetObject"
	actionPut       = "s3:PutObject"
	actionDelete    = "s3:DeleteObject"
	actionAbort     = "s3:AbortMultipartUpload"
	actionListParts = "s3:ListMultipartUploadParts"
	actionGetTags   = "s3:GetObjectTagging"
	actionPutTags   = "s3:PutObjectTagging"
)

// Document is a policy as IAM and S3 take it in JSON.
type Document struct {
	Version   string
	Statement []Statement
}

// Statement is one of a [Document].
type Statement struct {
	Sid       string     `json:",omitempty"`
	Effect    string     // Allow or Deny
	Principal *Principal `json:",omitempty"` // of a bucket policy; a role's has none
	Action    []string
	Resource  []string
	Condition *Condition `json:",omitempty"`
}

// Principal is whom a statement of a bucket policy is about.
type Principal struct {
	AWS []string
}

// Condition narrows a statement about listings.
type Condition struct {
	StringLike PrefixLike
}

// PrefixLike are patterns of a listing's prefix, one of which must match.
type PrefixLike struct {
	Prefix []string `json:"s3:prefix"`
}

// Merge makes one document of several, such as the bucket policy for several
// principals. A Sid that comes again gets a number, as they are unique within a
// policy.
func Merge(docs ...Document) Document {
	out := Document{Version: version}
	seen := map[string]int{}
	for _, d := range docs {
		for _, s := range d.Statement {
			seen[s.Sid]++
			if n := seen[s.Sid]; n > 1 && s.Sid != "" {
				s.Sid = fmt.Sprintf("%s%d", s.Sid, n)
			}
			out.Statement = append(out.Statement, s)
		}
	}
	return out
}

// literal writes text so that IAM takes none of it for a pattern or a variable.
func literal(text string) string {
	return strings.NewReplacer("$", "${$}", "*", "${*}", "?", "${?}").Replace(text)
}
