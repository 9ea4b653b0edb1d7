package main

import (
	"os"
	"runtime/debug"
)

// gcPercent is how much garbage may lie about, in percent of what lives. The cache is counted apart and most of what lives,
// so with the runtime's 100 a mount that just writes small files collects its few MiB all the time: about a tenth of its CPU
// time, for 15 MiB.
const gcPercent = 200

// tuneCollector makes the collector come at the right times, unless GOGC says when.
func tuneCollector() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
