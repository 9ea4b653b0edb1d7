package churn

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/tests/rig"
)

// TestSiblingsOverAMount: programs that read 200 small files of a directory send a GET a file and no other request but listings and,
// where answers are late, a second GET for at most one in twenty; up to sixteen at a time. One that opens files here and there sends those of its files alone.
func TestSiblingsOverAMount(t *testing.T) {
	const files, delay = 200, 20 * time.Millisecond
	w := newWorld(t, "--metadata-ttl", "1m")
	for i := range files {
		must(t, w.put(t.Context(), fmt.Sprintf("d/f%03d", i), version(uint32(i), 4096)))
	}
	names := make([]string, files)
	for i := range names {
		names[i] = fmt.Sprintf("f%03d", i)
	}
	rand.New(rand.NewPCG(5, 6)).Shuffle(files, func(i, j int) { names[i], names[j] = names[j], names[i] })
	copied := t.TempDir()
	for _, tc := range []struct {
		name, line string
		want       int
		together   bool
	}{
		{"cat *", "cat d/* | wc -c", files, true},
		{"cp -r", "cp -r d '" + copied + "'; cat '" + copied + "'/d/* | wc -c", files, true},
		{"tar", "tar cf - d | tar xf - -O | wc -c", files, true},
		{"here and there", "cd d; cat " + strings.Join(names[:40], " ") + " | wc -c", 40, false},
	} {
		w.remount(t)
		w.Proxy.SetDelay(delay)
		w.Proxy.Take()
		began := time.Now()
		out := shell(t, w.path(""), tc.line)
		took := time.Since(began)
		w.Proxy.SetDelay(0)
		if got := strings.TrimSpace(out); got != fmt.Sprint(tc.want*4096) {
			t.Errorf("%s: %s bytes", tc.name, got)
		}
		requests := w.Proxy.Take()
		gets := map[string]int{}
		for _, r := range requests {
			switch r.Op() {
			case "GetObject":
				gets[r.Path]++
			case "ListObjectsV2":
			default:
				t.Errorf("%s: %v", tc.name, r)
			}
		}
		// Answers that a busy machine makes late are asked for twice, which is counted, and bounded.
		second := int(w.status(t).Cache.Hedged)
		again := 0
		for path, n := range gets {
			if again += n - 1; n > 2 {
				t.Errorf("%s: %s was asked for %d times", tc.name, path, n)
			}
		}
		if again > second || second*20 > tc.want+second {
			t.Errorf("%s: %d files were asked for twice, %d second requests", tc.name, again, second)
		}
		most := atOnce(requests) - again
		t.Logf("%s: %v (one by one %v); %d GETs and %d second ones, up to %d at a time; %d other requests",
			tc.name, took.Round(time.Millisecond), time.Duration(tc.want)*delay, len(gets), again, most, len(requests)-len(gets)-again)
		if len(gets) != tc.want {
			t.Errorf("%s: %d GETs of %d files", tc.name, len(gets), tc.want)
		}
		if tc.together && (most+again < 8 || most > 17) || !tc.together && most > 2 {
			t.Errorf("%s: %d at a time", tc.name, most)
		}
	}
	w.Unmount(t)
}

// atOnce is how many GETs were under way at the same time.
func atOnce(requests []rig.Request) (most int) {
	type edge struct {
		at time.Time
		by int
	}
	var edges []edge
	for _, r := range requests {
		if r.Op() == "GetObject" {
			edges = append(edges, edge{r.Begun, 1}, edge{r.Ended, -1})
		}
	}
	slices.SortFunc(edges, func(a, b edge) int { return a.at.Compare(b.at) })
	now := 0
	for _, e := range edges {
		now += e.by
		most = max(most, now)
	}
	return most
}
