package hostile

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/tests/rig"
)

// TestKeysOnAGateway: what versitygw, which keeps objects as files, takes of 200 hostile keys is listed, read, renamed and removed through
// a mount. What it does not take is found by trying, and named.
func TestKeysOnAGateway(t *testing.T) {
	l := mountLevels()[0]
	keys := drawKeys(t, l.prefix, fixedSeed, randomSeed(t))
	refused := offer(t, rig.StartServer(t, filepath.Join(t.TempDir(), "tried")).Client(t), keys)
	server := rig.StartServer(t, filepath.Join(t.TempDir(), "data")) // refusals leave directories behind, which are seen
	client := server.Client(t)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if _, err := client.Put(t.Context(), key, rig.Body(keys[key]), store.Headers{}, store.Cond{}); err != nil {
			t.Fatalf("%q, which was taken before: %v", key, err)
		}
	}
	b := newBucket(server.Endpoint, server.Env, func() map[string]string { return contents(t, client) })
	wantSame(t, "what the server has taken", keys, b.contents())
	b.mount(t)
	b.inAMount(t, l, keys)
	t.Logf("versitygw takes %d of %d keys; it does not take these:\n%s", len(keys), keyCount, strings.Join(refused, "\n"))
}

// offer stores keys, and drops those from the map that the server refuses, or gives back under another name or with other bytes.
func offer(t *testing.T, client store.Store, keys map[string]string) (refused []string) {
	t.Helper()
	drop := func(key, why string) {
		delete(keys, key)
		refused = append(refused, printable(key)+": "+why)
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if _, err := client.Put(t.Context(), key, rig.Body(keys[key]), store.Headers{}, store.Cond{IfNoneMatch: true}); err != nil {
			drop(key, why(err))
		}
	}
	got := contents(t, client)
	for key, content := range maps.Clone(keys) {
		if has, ok := got[key]; !ok || has != content {
			drop(key, "is listed or given as something else")
		}
	}
	slices.Sort(refused)
	return refused
}

func why(err error) string {
	if e, ok := errors.AsType[*store.Error](err); ok && e.Code != "" {
		return e.Code
	}
	return "is refused"
}

// printable shortens a key for people.
func printable(key string) string {
	const most = 60
	return fmt.Sprintf("%q", strings.ToValidUTF8(key[:min(most, len(key))], "…"))
}

// contents are all objects of a bucket.
func contents(t *testing.T, client store.Store) map[string]string {
	t.Helper()
	all := map[string]string{}
	for page, err := range client.List(t.Context(), "", store.ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Objects {
			body, _, err := client.Get(t.Context(), o.Key, store.All, store.Cond{})
			if errors.Is(err, store.ErrNotExist) {
				continue // it lists what it can not give
			}
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(body)
			if err = errors.Join(err, body.Close()); err != nil {
				t.Fatal(err)
			}
			all[o.Key] = string(text)
		}
	}
	return all
}
