package faultstore

import (
	"fmt"
	"testing"

	"github.com/s3levelfs/s3levelfs/store"
)

// maxSweep ends a sweep over a scenario that never stops calling.
const maxSweep = 10_000

// Arm decorates the store of one run of a scenario. It is called once a run,
// inside the scenario's synctest bubble if it has one.
type Arm func(inner store.Store) *Store

// FailNth is the rule of a sweep: the n-th call gets the fault.
func FailNth(n int, f Fault) Rule { return Rule{Nth: n, Fault: f} }

// Sweep runs a scenario, for each fault, with its n-th store call given the fault,
// n = 1, 2, … until a run makes fewer calls. Each run is a subtest named by its
// fault and n; when it fails, its log tells which call it was. The scenario
// asserts what has to hold whatever fails. A fault's sweep ends with its first
// failed run.
func Sweep(t *testing.T, faults []Fault, scenario func(t *testing.T, arm Arm)) {
	t.Helper()
	for _, f := range faults {
		for n := 1; ; n++ {
			if n > maxSweep {
				t.Fatalf("%v: the scenario makes more than %d calls", f, maxSweep)
			}
			if fired, ok := sweepOnce(t, n, f, scenario); !fired || !ok {
				break
			}
		}
	}
}

func sweepOnce(t *testing.T, n int, f Fault, scenario func(t *testing.T, arm Arm)) (fired, ok bool) {
	t.Helper()
	var s *Store
	ok = t.Run(fmt.Sprintf("%v/call %d", f, n), func(t *testing.T) {
		defer func() {
			if t.Failed() && s != nil {
				t.Logf("fault: %v", s.Fired())
			}
		}()
		scenario(t, func(inner store.Store) *Store {
			s = New(inner, FailNth(n, f))
			return s
		})
	})
	if s == nil {
		t.Fatal("the scenario did not arm its store")
	}
	return len(s.Fired()) > 0, ok
}
