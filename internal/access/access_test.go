package access_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/s3levelfs/s3levelfs/internal/access"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
)

const (
	me    = "us-east-1:aaaa"
	other = "us-east-1:bbbb"
)

func mine(t interface{ Fatal(...any) }, id levels.Identity, grants map[levels.Level]levels.Perm) *levels.Policy {
	p, err := levels.New(id, levels.Options{Grants: grants, Uploads: true})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// grantsOf are rights as the policy says them; nothing outside of it.
func grantsOf(p *levels.Policy) func(levels.Perm, string) bool {
	return func(want levels.Perm, key string) bool {
		for _, l := range p.LevelPrefixes() {
			if strings.HasPrefix(key, l.Prefix) {
				return l.Grants.Has(want)
			}
		}
		return false
	}
}

func full() map[string]bool {
	return map[string]bool{
		"public/f": true, "protected/" + me + "/f": true, "protected/" + other + "/f": true, "private/" + me + "/f": true, "private/" + other + "/f": true, "uploads/f": true, "x/f": true,
	}
}

func row(r access.Report, place string) string {
	var out []string
	for _, c := range r.Cells {
		if c.Place != place {
			continue
		}
		text := string(c.Answer)
		if !c.Certain {
			text += "~"
		}
		if c.Differs() {
			text += "!"
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}

// Whatever the rights are, the table has them: certain wherever there is an object to be seen or the server tells what is
// absent, never wrong where it says that it is certain, and nothing is left.
func TestTableIsTheRights(t *testing.T) {
	cells, certain := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		grants := map[levels.Level]levels.Perm{}
		for _, l := range []levels.Level{levels.Public, levels.Protected, levels.ProtectedOwn, levels.ProtectedOther, levels.Private, levels.Uploads} {
			grants[l] = levels.Perm(rapid.IntRange(0, 15).Draw(t, "grants"))
		}
		assumed := levels.DefaultGrants(true)
		real := mine(t, levels.Identity{ID: me, Authenticated: true}, grants)
		b := &bucket{objects: map[string]bool{}, may: grantsOf(real)}
		for key := range full() {
			if rapid.Bool().Draw(t, key) {
				b.objects[key] = true
			}
		}
		b.hides, b.says, b.putNeeds = rapid.Bool().Draw(t, "hides"), rapid.Bool().Draw(t, "says"), rapid.Bool().Draw(t, "put needs get")
		before := maps.Clone(b.objects)
		c := access.Config{Policy: mine(t, levels.Identity{ID: me, Authenticated: true}, assumed), MakeObjects: rapid.Bool().Draw(t, "make")}
		r, err := access.Probe(context.Background(), b, c)
		if err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(before, b.objects) || len(r.Left) > 0 || b.made > 0 && !c.MakeObjects {
			t.Fatalf("left behind: %v, made %d, %v", b.objects, b.made, r.Left)
		}
		perms := map[access.Op]levels.Perm{
			access.List: levels.List, access.Stat: levels.Get, access.Read: levels.Get, access.Create: levels.Put, access.Overwrite: levels.Put, access.Delete: levels.Delete,
		}
		for _, cell := range r.Cells {
			cells++
			key := cell.Prefix
			if cell.Op != access.List {
				key += "f"
			}
			want := access.No
			if b.may(perms[cell.Op], key) && cell.Place != "outside" {
				want = access.Yes
			}
			switch {
			case cell.Certain:
				certain++
				if cell.Answer != want {
					t.Fatalf("%+v, want %s", cell, want)
				}
			case cell.Op != access.Stat && cell.Op != access.Read, !b.hides && want == access.Yes:
				t.Fatalf("%+v is not certain", cell)
			case cell.Why == "":
				t.Fatalf("%+v: why?", cell)
			}
		}
	})
	t.Logf("%d cells, %d of them certain, none wrong", cells, certain)
}

func TestServersThatHideAbsence(t *testing.T) {
	policy := mine(t, levels.Identity{ID: me, Authenticated: true}, nil)
	probe := func(b *bucket, c access.Config) access.Report {
		t.Helper()
		c.Policy = policy
		b.may, b.hides = grantsOf(policy), true
		r, err := access.Probe(t.Context(), b, c)
		if err != nil || len(r.Left) > 0 {
			t.Fatal(err, r.Left)
		}
		return r
	}
	for _, tt := range []struct {
		b             *bucket
		c             access.Config
		private, read string // of private own, of private other
	}{
		{&bucket{objects: full()}, access.Config{}, "yes yes yes yes yes yes", "no no~ no~ no no no"},
		{&bucket{objects: map[string]bool{}}, access.Config{}, "yes unknown~ unknown~ yes yes yes", "no no~ no~ no no no"},
		{&bucket{objects: map[string]bool{}, says: true}, access.Config{}, "yes unknown~ yes~ yes yes yes", "no no~ no~ no no no"},
		{&bucket{objects: map[string]bool{}}, access.Config{MakeObjects: true}, "yes yes yes yes yes yes", "no no~ no~ no no no"},
	} {
		r := probe(tt.b, tt.c)
		if got := row(r, "private own"); got != tt.private {
			t.Errorf("%+v: private own %s, want %s", tt.c, got, tt.private)
		}
		if got := row(r, "private other"); got != tt.read {
			t.Errorf("%+v: private other %s, want %s", tt.c, got, tt.read)
		}
		if r.Differences() != 0 {
			t.Errorf("%+v", r.Cells)
		}
	}
}

// A right that the mount does not know of, and one that it has for granted in vain, are seen.
func TestDifferences(t *testing.T) {
	policy := mine(t, levels.Identity{ID: me, Authenticated: true}, nil)
	b := &bucket{objects: full()}
	b.may = func(want levels.Perm, key string) bool {
		if strings.HasPrefix(key, "public/") && want == levels.Delete {
			return false
		}
		return strings.HasPrefix(key, "private/") || grantsOf(policy)(want, key)
	}
	r, err := access.Probe(t.Context(), b, access.Config{Policy: policy})
	if err != nil {
		t.Fatal(err)
	}
	if got := row(r, "public"); got != "yes yes yes yes yes no!" {
		t.Error(got)
	}
	if got := row(r, "private other"); got != "yes! yes! yes! yes! yes! yes!" {
		t.Error(got)
	}
	if r.Differences() != 7 {
		t.Error(r.Differences())
	}
}

// A guest without an id has neither an own directory nor a private one; with an empty prefix nothing is outside.
func TestPlaces(t *testing.T) {
	names := func(c access.Config) string {
		t.Helper()
		r, err := access.Probe(t.Context(), &bucket{objects: full(), may: grantsOf(c.Policy)}, c)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, cell := range r.Cells {
			if len(out) == 0 || out[len(out)-1] != cell.Place {
				out = append(out, cell.Place)
			}
		}
		return strings.Join(out, ", ")
	}
	if got := names(access.Config{Policy: mine(t, levels.Identity{}, nil)}); got != "public, protected, protected other, private other, uploads, outside" {
		t.Error(got)
	}
	if got := names(access.Config{Policy: mine(t, levels.Identity{ID: me, Authenticated: true}, nil)}); got != "public, protected, protected own, protected other, private own, private other, uploads, outside" {
		t.Error(got)
	}
	prefixes := levels.Prefixes{Public: new("")}
	p, err := levels.New(levels.Identity{}, levels.Options{Prefixes: prefixes, Uploads: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := names(access.Config{Policy: p, Prefixes: prefixes}); strings.Contains(got, "outside") {
		t.Error(got)
	}
}

// A server that stores a probe is cleaned up behind, and what can not be removed is told.
func TestServersThatStoreProbes(t *testing.T) {
	policy := mine(t, levels.Identity{ID: me, Authenticated: true}, nil)
	for _, canDelete := range []bool{true, false} {
		grants := levels.All
		if !canDelete {
			grants &^= levels.Delete
		}
		b := &bucket{objects: full(), noDigest: true, noCond: true}
		b.may = func(want levels.Perm, key string) bool { return strings.HasPrefix(key, "public/") && grants.Has(want) }
		r, err := access.Probe(t.Context(), b, access.Config{Policy: policy})
		if err != nil {
			t.Fatal(err)
		}
		if got := row(r, "public"); !strings.HasPrefix(got, "yes yes yes yes yes") {
			t.Error(got)
		}
		wantLeft := 0
		if !canDelete {
			wantLeft = 2
		}
		if len(r.Left) != wantLeft || len(b.objects) != len(full())+wantLeft || b.made != 2 {
			t.Errorf("left %v, objects %v", r.Left, b.objects)
		}
		for _, key := range r.Left {
			if !b.objects[key] {
				t.Errorf("%s is not there", key)
			}
		}
	}
}

// What is no answer about rights ends the probing, wherever it comes, and is returned.
func TestFailuresEndIt(t *testing.T) {
	policy := mine(t, levels.Identity{ID: me, Authenticated: true}, nil)
	n := 0
	for ; ; n++ {
		b := &bucket{objects: full(), may: grantsOf(policy), failWith: store.ErrTransient, failAfter: n}
		_, err := access.Probe(t.Context(), b, access.Config{Policy: policy})
		if err == nil {
			break
		}
		if !errors.Is(err, store.ErrTransient) || len(b.objects) != len(full()) {
			t.Fatalf("call %d: %v, %v", n, err, b.objects)
		}
	}
	if n < 40 {
		t.Errorf("%d calls", n)
	}
	t.Logf("a failure of each of %d calls is returned", n)
}
