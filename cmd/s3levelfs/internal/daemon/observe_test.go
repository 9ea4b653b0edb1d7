package daemon

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/backend"
	"github.com/s3levelfs/s3levelfs/internal/feed"
	"github.com/s3levelfs/s3levelfs/internal/trigger"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// TestMade: how an object was stored is told as S3 names it.
func TestMade(t *testing.T) {
	for _, c := range []struct {
		what  string
		event uploader.Event
		want  trigger.Name
	}{
		{"a file", uploader.Event{Key: "a", Gen: "g", ETag: `"abc"`}, trigger.Put},
		{"a file of parts", uploader.Event{Key: "a", Gen: "g", ETag: `"abc-12"`}, trigger.Multipart},
		{"a server without quotes", uploader.Event{Key: "a", Gen: "g", ETag: `abc-2`}, trigger.Multipart},
		{"a directory's marker", uploader.Event{Key: "a/", ETag: `"abc"`}, trigger.Put},
		{"a rename", uploader.Event{Key: "b", From: "a", ETag: `"abc"`}, trigger.Copy},
		{"new headers", uploader.Event{Key: "a", ETag: `"abc"`}, trigger.Copy},
	} {
		if got := made(c.event); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
}

// TestFeedEvents: who listens hears of paths, not only of keys, and of both ends of what has two.
func TestFeedEvents(t *testing.T) {
	policy, err := levels.New(levels.Identity{ID: "us-east-1:1", Authenticated: true}, levels.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := &session{backend: &backend.Backend{Policy: policy}}
	size := int64(3)
	for _, c := range []struct {
		event uploader.Event
		want  feed.Event
	}{
		{
			uploader.Event{Kind: uploader.Committed, Key: "private/us-east-1:1/f", ETag: "e", Size: 3, Gen: "g"},
			feed.Event{Kind: feed.Upload, Path: "private/f", Key: "private/us-east-1:1/f", Size: &size, ETag: "e"},
		},
		{
			uploader.Event{Kind: uploader.Committed, Key: "public/b", From: "public/a", Size: 3},
			feed.Event{Kind: feed.Copy, Path: "public/b", Key: "public/b", Other: "public/a", Size: &size},
		},
		{
			uploader.Event{Kind: uploader.Conflict, Key: "public/a", To: "public/a (conflict x)"},
			feed.Event{Kind: feed.Conflict, Path: "public/a", Key: "public/a", Other: "public/a (conflict x)"},
		},
		{
			uploader.Event{Kind: uploader.Failed, Key: "public/a", Err: errors.New("why")},
			feed.Event{Kind: feed.Failed, Path: "public/a", Key: "public/a", Error: "why"},
		},
		{uploader.Event{Kind: uploader.Removed, Key: "public/d/"}, feed.Event{Kind: feed.Remove, Path: "public/d", Key: "public/d/"}},
		{uploader.Event{Kind: uploader.LevelDenied, Key: "elsewhere/"}, feed.Event{Kind: feed.Denied, Path: "elsewhere/", Key: "elsewhere/"}},
	} {
		if diff := cmp.Diff(c.want, s.feedEvent(c.event)); diff != "" {
			t.Error(diff)
		}
	}
	for k := uploader.Committed; k <= uploader.Kept; k++ {
		if s.feedEvent(uploader.Event{Kind: k}).Kind == "" {
			t.Errorf("%s has no name for who listens", k)
		}
	}
}

// TestBelow: a path limits to what is in it, not to names that begin like it.
func TestBelow(t *testing.T) {
	for _, c := range []struct {
		path, dir string
		want      bool
	}{{"a/b", "a", true}, {"a", "a", true}, {"ab", "a", false}, {"a", "", true}, {"", "", true}, {"a", "a/b", false}, {"", "a", false}} {
		if below(c.path, c.dir) != c.want {
			t.Errorf("%q below %q: want %v", c.path, c.dir, c.want)
		}
	}
}
