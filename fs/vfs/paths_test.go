package vfs_test

import (
	"strings"
	"syscall"
	"testing"

	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store/memstore"
)

const otherID = "us-east-1:99999999-2222-3333-4444-555555555555"

// appRules are those of a Gen 2 app: paths below others, one on the way, identities that can be browsed and those that can not.
func appRules() []levels.PathRule {
	type rules = map[string]levels.Perm
	const read = levels.List | levels.Get
	return []levels.PathRule{
		{Pattern: "media/*", Rules: rules{"guest": read, "authenticated": levels.All}},
		{Pattern: "media/albums/*", Rules: rules{"guest": read, "authenticated": read}},
		{Pattern: "media/in/drafts/*", Rules: rules{"authenticated": levels.All}},
		{Pattern: "media/secret/*", Rules: rules{"groupsadmin": levels.All}},
		{Pattern: "profiles/{entity_id}/*", Rules: rules{"authenticated": read, "entityidentity": levels.All}},
		{Pattern: "notes/{entity_id}/*", Rules: rules{"entityidentity": levels.All}},
	}
}

// serverOf allows what the policy of a signed-in identity allows, key by key, and refuses the rest.
func serverOf(t *testing.T) memstore.Config {
	return memstore.Config{Allow: func(kind, key string) error {
		need, has := permOf(kind), levels.None
		switch {
		case strings.HasPrefix(key, "media/secret/"):
		case strings.HasPrefix(key, "media/albums/"):
			has = levels.List | levels.Get
		case strings.HasPrefix(key, "media/"), strings.HasPrefix(key, "profiles/"+ownID+"/"), strings.HasPrefix(key, "notes/"+ownID+"/"):
			has = levels.All
		case strings.HasPrefix(key, "profiles/"):
			has = levels.List | levels.Get
		}
		if !has.Has(need) {
			t.Errorf("%s %q is outside of the rules", kind, key)
			return syscall.EACCES
		}
		return nil
	}}
}

// TestPathsOfAnApp: the mount of an app's paths, on a bucket that allows what its rules do and nothing else.
func TestPathsOfAnApp(t *testing.T) {
	e := newEnv(t, envConfig{options: levels.Options{Paths: appRules()}, memory: serverOf(t)})
	defer e.close(t)
	for _, key := range []string{
		"media/a", "media/albums/b", "media/secret/c", "media/in/drafts/d", "profiles/" + otherID + "/e", "notes/" + otherID + "/f",
		"notes/" + ownID + "/g",
	} {
		e.put(t, key, []byte(key))
	}
	for path, want := range map[string]string{
		"": "media notes profiles", "media": "a albums in", "media/albums": "b", "media/in": "drafts", "media/in/drafts": "d",
		"profiles": "me " + ownID + " " + otherID, "profiles/" + otherID: "e", "notes": "g",
	} {
		if got := strings.Join(listNames(t, e, path), " "); got != want {
			t.Errorf("%q has %q, want %q", path, got, want)
		}
	}
	for path, key := range map[string]string{
		"media/new": "media/new", "media/in/new": "media/in/new", "media/in/drafts/new": "media/in/drafts/new",
		"profiles/" + ownID + "/new": "profiles/" + ownID + "/new", "notes/new": "notes/" + ownID + "/new",
	} {
		writeFile(t, e.fs, path, []byte("mine"))
		if got := string(readFile(t, e.fs, path)); got != "mine" {
			t.Errorf("%q reads %q", path, got)
		}
		e.drain(t)
		if got := e.objects(t)[key]; got != "mine" {
			t.Errorf("%q is %q in the bucket", key, got)
		}
	}
	for _, c := range []struct {
		name string
		err  error
		want syscall.Errno
	}{
		{"create in a path that only reads", create(e, "media/albums/new"), syscall.EACCES},
		{"unlink there", unlink(e, "media/albums/b"), syscall.EACCES},
		{"rename into it", e.fs.Rename(bg(), "media/a", "media/albums/a", 0), syscall.EACCES},
		{"rename out of it", e.fs.Rename(bg(), "media/albums/b", "media/b", 0), syscall.EACCES},
		{"the directory of a path is not removed", rmdir(e, "media/albums"), syscall.EBUSY},
		{"nor renamed", e.fs.Rename(bg(), "media/albums", "media/gone", 0), syscall.EBUSY},
		{"nor what leads to one", rmdir(e, "media/in"), syscall.EBUSY},
		{"a hidden path", lookup(e, "media/secret"), syscall.ENOENT},
		{"is not made", mkdir(e, "media/secret"), syscall.EACCES},
		{"nor as a file", create(e, "media/secret"), syscall.EACCES},
		{"nor by a rename", e.fs.Rename(bg(), "media/a", "media/secret", 0), syscall.EACCES},
		{"nothing is behind it", read(e, "media/secret/c"), syscall.ENOENT},
		{"other people's notes", read(e, "notes/"+otherID+"/f"), syscall.ENOENT},
		{"other people's profiles are read", read(e, "profiles/"+otherID+"/e"), 0},
		{"and not written", create(e, "profiles/"+otherID+"/new"), syscall.EACCES},
		{"the root is nobody's", mkdir(e, "public"), syscall.EACCES},
		{"albums are read", read(e, "media/albums/b"), 0},
		{"rename between paths", e.fs.Rename(bg(), "media/new", "notes/moved", 0), 0},
	} {
		if got := errnoOf(c.err); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, c.err, c.want)
		}
	}
	e.drain(t)
	if got := e.objects(t)["notes/"+ownID+"/moved"]; got != "mine" {
		t.Errorf("what was moved is %q", got)
	}
}
