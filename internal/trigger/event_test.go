package trigger_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/s3levelfs/s3levelfs/internal/trigger"
)

// The message of what was created, and that of what was removed, are S3's.
func TestMessagesAreS3s(t *testing.T) {
	at := time.Date(2030, 5, 6, 7, 8, 9, 10_000_000, time.UTC)
	for _, c := range []struct {
		event  trigger.Event
		bucket trigger.Bucket
		want   string
	}{
		{
			trigger.Event{Name: trigger.Put, Key: "public/red flower.jpg", Size: 0, ETag: `"abc"`, At: at},
			trigger.Bucket{Name: "b", Region: "eu-central-1", Identity: "eu-central-1:1"},
			`{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"eu-central-1","eventTime":"2030-05-06T07:08:09.010Z",
			"eventName":"ObjectCreated:Put","userIdentity":{"principalId":"eu-central-1:1"},"requestParameters":{"sourceIPAddress":"127.0.0.1"},
			"responseElements":{"x-amz-request-id":"","x-amz-id-2":""},"s3":{"s3SchemaVersion":"1.0","configurationId":"s3levelfs-on-upload",
			"bucket":{"name":"b","ownerIdentity":{"principalId":""},"arn":"arn:aws:s3:::b"},
			"object":{"key":"public/red+flower.jpg","size":0,"eTag":"abc","sequencer":"SEQUENCER"}}}]}`,
		},
		{
			trigger.Event{Name: trigger.Delete, Key: "a", Size: 5, ETag: "abc", At: at},
			trigger.Bucket{Name: "b"},
			`{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"us-east-1","eventTime":"2030-05-06T07:08:09.010Z",
			"eventName":"ObjectRemoved:Delete","userIdentity":{"principalId":""},"requestParameters":{"sourceIPAddress":"127.0.0.1"},
			"responseElements":{"x-amz-request-id":"","x-amz-id-2":""},"s3":{"s3SchemaVersion":"1.0","configurationId":"s3levelfs-on-delete",
			"bucket":{"name":"b","ownerIdentity":{"principalId":""},"arn":"arn:aws:s3:::b"},"object":{"key":"a","sequencer":"SEQUENCER"}}}]}`,
		},
	} {
		r, done := recorder()
		x := trigger.New(r.config(c.bucket))
		x.Tell(c.event)
		x.Close()
		if len(*done) != 1 {
			t.Fatalf("%d commands", len(*done))
		}
		want := strings.ReplaceAll(c.want, "SEQUENCER", hex16(uint64(at.UnixNano())))
		if diff := cmp.Diff(decoded(t, []byte(want)), decoded(t, (*done)[0].Stdin)); diff != "" {
			t.Error(diff)
		}
	}
}

func decoded(t *testing.T, text []byte) (doc any) {
	t.Helper()
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// What handlers decode keys with gives the key; slashes stay, so that prefixes can be compared without that.
func TestEncodeKey(t *testing.T) {
	for key, want := range map[string]string{
		"public/my file (1).txt": "public/my+file+%281%29.txt", "a+b": "a%2Bb", "ü": "%C3%BC", "a-_.*~!'": "a-_.*%7E%21%27", "private/us-east-1:1/x": "private/us-east-1%3A1/x",
	} {
		if got := trigger.EncodeKey(key); got != want {
			t.Errorf("%q is %q, want %q", key, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.String().Draw(t, "key")
		if got, err := url.QueryUnescape(trigger.EncodeKey(key)); err != nil || got != key {
			t.Fatalf("%q came back as %q, %v", key, got, err)
		}
	})
}

// Sequencers grow, also where the clock goes back or two things happen at once.
func TestSequencersGrow(t *testing.T) {
	r, done := recorder()
	cfg := r.config(trigger.Bucket{Name: "b"})
	x := trigger.New(cfg)
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, d := range []time.Duration{0, 0, -time.Hour, time.Nanosecond, time.Hour} {
		x.Tell(trigger.Event{Name: trigger.Put, Key: "k", At: now.Add(d)})
	}
	x.Close()
	seen := map[string]bool{}
	for _, c := range *done {
		var m struct {
			Records []struct {
				S3 struct{ Object struct{ Sequencer string } }
			}
		}
		if err := json.Unmarshal(c.Stdin, &m); err != nil {
			t.Fatal(err)
		}
		seen[m.Records[0].S3.Object.Sequencer] = true
	}
	base := uint64(now.UnixNano())
	for _, n := range []uint64{base, base + 1, base + 2, base + 3, base + uint64(time.Hour)} {
		if !seen[hex16(n)] {
			t.Errorf("no %s in %v", hex16(n), seen)
		}
	}
}
