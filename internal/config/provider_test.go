package config_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/internal/config"
)

// TestProviderTables: [provider.NAME] is kept by provider with its lines, [provider] name is the option, and no value is printed.
func TestProviderTables(t *testing.T) {
	file := writeFile(t, "bucket = 'b'\n[provider]\nname = 'dir'\n[provider.other]\nroot = '/o'\n[provider.dir]\nroot = '/d'\ntoken = 'hunter2'\ndepth = 3\n")
	l, err := config.Load(config.Sources{Getenv: env(nil), File: file})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]config.ProviderTable{
		"other": {Values: config.ProviderSettings{"root": "/o"}, Origins: map[string]string{"root": file + ":5"}},
		"dir": {
			Values:  config.ProviderSettings{"root": "/d", "token": "hunter2", "depth": "3"},
			Origins: map[string]string{"root": file + ":7", "token": file + ":8", "depth": file + ":9"},
		},
	}
	if d := cmp.Diff(want, l.Providers); d != "" {
		t.Errorf("tables (-want +got):\n%s", d)
	}
	if l.Provider != "dir" || l.Origin["provider"] != file+":3" {
		t.Errorf("provider %q of %q", l.Provider, l.Origin["provider"])
	}
	doc, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	if all := string(doc) + fmt.Sprintf("%v %+v %#v", l, *l.Config, l.Providers); strings.Contains(all, "hunter") || !strings.Contains(all, "token") {
		t.Error(all)
	}
	plain := writeFile(t, "provider = 'mem'\n")
	if l, err = config.Load(config.Sources{Getenv: env(nil), File: plain}); err != nil || l.Provider != "mem" {
		t.Errorf("%v, %v", l, err)
	}
	for text, want := range map[string]string{
		"[provider]\nname = 'x'\nroot = 'y'\n":    ":3: provider.root: no such setting",
		"\n[provider.dir]\nroot = ['a']\n":        ":3: provider.dir.root: must be a single value",
		"[provider.a]\nx = 1\n[provider.b]\nx={}": ":4: provider.b.x: must be a single value",
	} {
		if _, err := config.Load(config.Sources{Getenv: env(nil), File: writeFile(t, text)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// TestProviderPlaceOwns: what is unsent for one place of a provider is never another's.
func TestProviderPlaceOwns(t *testing.T) {
	seen := map[string]string{}
	for _, place := range []string{"", "provider:dir root=/a", "provider:dir root=/b", "provider:mem"} {
		c := config.Default()
		c.Bucket, c.ProviderPlace = "b", place
		p := config.Partition(c.Owner("r:1"))
		if other, ok := seen[p]; ok {
			t.Errorf("%q and %q share a partition", place, other)
		}
		seen[p] = place
		if o, ok := config.ParseOwner(c.Owner("r:1")); !ok || o.Endpoint != place {
			t.Errorf("%q: %+v", place, o)
		}
	}
}
