package faults

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// latencies are the times of operations by name, and how many of each failed. It is safe for concurrent use.
type latencies struct {
	mu     sync.Mutex
	times  map[string][]time.Duration
	failed map[string]int
}

func newLatencies() *latencies {
	return &latencies{times: map[string][]time.Duration{}, failed: map[string]int{}}
}

// of measures one operation.
func (l *latencies) of(name string, do func() error) error {
	start := time.Now()
	err := do()
	took := time.Since(start)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.times[name] = append(l.times[name], took)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		l.failed[name]++
	}
	return err
}

// report prints all, and fails the test where an operation has taken longer than is promised.
func (l *latencies) report(t *testing.T, promised map[string]time.Duration) {
	t.Helper()
	var lines strings.Builder
	for _, name := range slices.Sorted(maps.Keys(l.times)) {
		d := slices.Sorted(slices.Values(l.times[name]))
		at := func(percent int) time.Duration { return d[min(len(d)*percent/100, len(d)-1)].Round(time.Microsecond) }
		bound := "none promised"
		if p, ok := promised[name]; ok {
			bound = "promised " + p.String()
			if at(100) > p {
				t.Errorf("%s took %v, promised are %v", name, at(100), p)
			}
		}
		fmt.Fprintf(&lines, "\n%-9s n %6d  failed %4d  p50 %-10v p99 %-10v max %-10v (%s)", name, len(d), l.failed[name], at(50), at(99), at(100), bound)
	}
	t.Log(lines.String())
}
