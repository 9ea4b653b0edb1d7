package rig

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestChaosIsAFunctionOfItsSeed: the same requests meet the same fates, each kind of them some; another seed has others.
func TestChaosIsAFunctionOfItsSeed(t *testing.T) {
	first, counts := fates(t, 1)
	again, _ := fates(t, 1)
	other, _ := fates(t, 2)
	if !slices.Equal(first, again) {
		t.Errorf("the same seed:\n%q\n%q", first, again)
	}
	if slices.Equal(first, other) {
		t.Error("another seed gives the same")
	}
	t.Logf("%+v", counts)
	for what, n := range map[string]int{
		"refused": counts.Refused, "stalled before": counts.StalledBefore, "stalled after": counts.StalledAfter,
		"reset before": counts.ResetBefore, "reset after": counts.ResetAfter, "truncated": counts.Truncated,
	} {
		if n == 0 || n > counts.Requests/4 {
			t.Errorf("%s: %d of %d requests", what, n, counts.Requests)
		}
	}
}

// fates sends requests and tells what came of each at the client and at the server.
func fates(t *testing.T, seed uint64) (all []string, counts ChaosCounts) {
	t.Helper()
	var acted atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		acted.Add(1)
		_, _ = io.Copy(w, io.LimitReader(r.Body, 1000)) // an echo
	}))
	defer srv.Close()
	p := StartProxy(t, srv.URL)
	p.SetChaos(Chaos{Seed: seed, Refused: 10, Stalled: 10, Reset: 10, Truncated: 10, Stall: time.Millisecond})
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // or it would send again by itself
	for i := range 200 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, fmt.Sprint(p.Endpoint, "/rig/", i%20), strings.NewReader("some bytes"))
		if err != nil {
			t.Fatal(err)
		}
		before, what := acted.Load(), "cut"
		if resp, err := client.Do(req); err == nil {
			body, rerr := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			what = fmt.Sprint(resp.StatusCode, len(body), rerr != nil)
		}
		all = append(all, fmt.Sprint(what, acted.Load()-before))
	}
	return all, p.SetChaos(Chaos{})
}

// TestBlackHole: nothing arrives while it is open, all of it afterwards.
func TestBlackHole(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "there") }))
	defer srv.Close()
	p := StartProxy(t, srv.URL)
	p.SetBlackHole(true)
	answer := make(chan string)
	go func() {
		resp, err := http.Get(p.Endpoint + "/rig/x")
		if err != nil {
			answer <- err.Error()
			return
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		answer <- string(body)
	}()
	select {
	case got := <-answer:
		t.Errorf("%q out of a black hole", got)
	case <-time.After(100 * time.Millisecond):
	}
	p.SetBlackHole(false)
	if got := <-answer; got != "there" {
		t.Errorf("afterwards %q", got)
	}
}
