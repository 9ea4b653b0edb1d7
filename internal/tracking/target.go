package tracking

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
)

// Kind is where events go.
type Kind string

// The kinds of sinks.
const (
	ToFile    Kind = "jsonl"
	ToWebhook Kind = "webhook"
	ToKinesis Kind = "kinesis"
	ToLog     Kind = "log"
	ToStdout  Kind = "stdout"
)

// Spelling is how a target is written, for messages.
const Spelling = "log, stdout, jsonl:/FILE, https://HOST/PATH or kinesis:STREAM"

// Target is where events go, as --track-to names it.
type Target struct {
	Kind Kind
	Path string // ToFile: absolute
	Name string // ToKinesis: the stream's name or ARN
	url  *url.URL
}

// isStream tells whether text is the name of a stream, or its ARN. Source: Amazon Kinesis Data Streams, PutRecords, StreamName and StreamARN.
func isStream(text string) bool {
	return regexp.MustCompile(`^(arn:aws[a-z-]*:kinesis:[a-z0-9-]+:[0-9]{12}:stream/)?[a-zA-Z0-9_.-]{1,128}$`).MatchString(text)
}

// Parse reads a target. A URL is https, or http to this machine; a password does not belong into it, for everybody sees options.
func Parse(text string) (Target, error) {
	scheme, rest, _ := strings.Cut(text, ":")
	switch scheme {
	case "log", "stdout":
		if text == scheme {
			return Target{Kind: Kind(scheme)}, nil
		}
	case "jsonl":
		if filepath.IsAbs(rest) && !strings.HasSuffix(rest, "/") {
			return Target{Kind: ToFile, Path: filepath.Clean(rest)}, nil
		}
		return Target{}, fmt.Errorf("%q: jsonl wants the absolute path of a file, such as jsonl:/var/log/storage.jsonl", text)
	case "kinesis":
		if isStream(rest) {
			return Target{Kind: ToKinesis, Name: rest}, nil
		}
		return Target{}, fmt.Errorf("%q: kinesis wants a stream's name or ARN, such as kinesis:storage-events", text)
	case "https", "http":
		return parseURL(text)
	}
	name := text
	if i := strings.IndexAny(text, "/?#@"); i >= 0 {
		name = text[:min(i, len(scheme))] + "…" // what follows may be a key
	}
	return Target{}, fmt.Errorf("%q is no sink: give %s", name, Spelling)
}

// parseURL reads a webhook's; errors do not repeat it, as it may hold a secret.
func parseURL(text string) (Target, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "":
		return Target{}, errors.New("the webhook's URL can not be read: give https://HOST/PATH")
	case u.User != nil:
		return Target{}, errors.New("the webhook's URL has a user in it, whom everybody sees: leave that out, and give a bearer token in S3LEVELFS_TRACK_TOKEN")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return Target{}, fmt.Errorf("a webhook at http://%s: only this machine's own may do without TLS: give https", u.Host)
	}
	u.Fragment = ""
	return Target{Kind: ToWebhook, url: u}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// String names the target for people: of a webhook only the origin, for path and query may be its key.
func (t Target) String() string {
	switch t.Kind {
	case ToFile:
		return "jsonl:" + t.Path
	case ToKinesis:
		return "kinesis:" + t.Name
	case ToWebhook:
		return t.url.Scheme + "://" + t.url.Host
	case ToLog, ToStdout:
	}
	return string(t.Kind)
}
