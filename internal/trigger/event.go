package trigger

import (
	"net/url"
	"strings"
	"time"
)

// Name is what has happened, as S3 names it.
// Source: Amazon S3 User Guide, "Event notification types and destinations"; without the prefix "s3:", as in the message.
type Name string

// The names of events that a mount can tell of.
const (
	Put       Name = "ObjectCreated:Put"
	Multipart Name = "ObjectCreated:CompleteMultipartUpload"
	Copy      Name = "ObjectCreated:Copy"
	Delete    Name = "ObjectRemoved:Delete"
)

// Deleted tells the removals apart.
func (n Name) Deleted() bool { return strings.HasPrefix(string(n), "ObjectRemoved:") }

// Event is one change of the bucket.
type Event struct {
	Name Name
	Key  string
	Path string    // in the mount, for the command's environment; "" = none
	Size int64     // bytes; of what was created
	ETag string    // of what was created, with or without its quotes
	At   time.Time // when it was done
}

// Bucket is where it happened, and who did it.
type Bucket struct {
	Name     string
	Region   string // "" = us-east-1, as S3 takes it
	Identity string // the identity id, "" = a guest without one
}

// The message of S3. Source: Amazon S3 User Guide, "Event message structure", version 2.1. What a mount does not know is there and empty, as
// handlers reach into it without asking: the requests' ids, and the account that owns the bucket.
type (
	message struct {
		Records []record `json:"Records"`
	}
	record struct {
		EventVersion      string            `json:"eventVersion"`
		EventSource       string            `json:"eventSource"`
		AWSRegion         string            `json:"awsRegion"`
		EventTime         string            `json:"eventTime"`
		EventName         Name              `json:"eventName"`
		UserIdentity      principal         `json:"userIdentity"`
		RequestParameters map[string]string `json:"requestParameters"`
		ResponseElements  map[string]string `json:"responseElements"`
		S3                entity            `json:"s3"`
	}
	principal struct {
		ID string `json:"principalId"`
	}
	entity struct {
		SchemaVersion string `json:"s3SchemaVersion"`
		Configuration string `json:"configurationId"`
		Bucket        bucket `json:"bucket"`
		Object        object `json:"object"`
	}
	bucket struct {
		Name  string    `json:"name"`
		Owner principal `json:"ownerIdentity"`
		ARN   string    `json:"arn"`
	}
	object struct {
		Key       string `json:"key"`
		Size      *int64 `json:"size,omitempty"` // of what was created alone, as eTag
		ETag      string `json:"eTag,omitempty"`
		Sequencer string `json:"sequencer"`
	}
)

// isoMillis is the form of eventTime. Source: as above, ISO-8601 with milliseconds.
const isoMillis = "2006-01-02T15:04:05.000Z"

// messageOf is the message of one event. configuration is the name of the rule that it matched.
func messageOf(e Event, b Bucket, configuration, sequencer string) message {
	region := b.Region
	if region == "" {
		region = "us-east-1"
	}
	o := object{Key: EncodeKey(e.Key), Sequencer: sequencer}
	if !e.Name.Deleted() {
		o.Size, o.ETag = &e.Size, strings.Trim(e.ETag, `"`)
	}
	return message{[]record{{
		EventVersion: "2.1", EventSource: "aws:s3", AWSRegion: region, EventTime: e.At.UTC().Format(isoMillis), EventName: e.Name,
		UserIdentity: principal{b.Identity},
		// The request came from here; which address S3 has seen nobody here knows.
		RequestParameters: map[string]string{"sourceIPAddress": "127.0.0.1"},
		ResponseElements:  map[string]string{"x-amz-request-id": "", "x-amz-id-2": ""},
		S3: entity{
			SchemaVersion: "1.0", Configuration: configuration,
			Bucket: bucket{Name: b.Name, ARN: partition(region) + b.Name}, Object: o,
		},
	}}}
}

// partition is how the ARN of a bucket begins. Source: AWS General Reference, "Amazon Resource Names", partitions.
func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "arn:aws-cn:s3:::"
	case strings.HasPrefix(region, "us-gov-"):
		return "arn:aws-us-gov:s3:::"
	}
	return "arn:aws:s3:::"
}

// EncodeKey encodes a key as S3 does in its messages: as an HTML form's value (a space is +), but with slashes as they are. Source: as above,
// "the object key name value is URL encoded" (red+flower.jpg). All that handlers decode with is the inverse of it.
func EncodeKey(key string) string {
	return strings.NewReplacer("%2F", "/", "%2A", "*", "~", "%7E").Replace(url.QueryEscape(key))
}
