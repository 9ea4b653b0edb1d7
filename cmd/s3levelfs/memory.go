package main

import (
	"context"
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// memoryBeside is what the runtime may have besides the read cache: 64 MiB, less the program itself, 30 MiB which the
	// runtime does not count, and what it goes beyond a limit before it has collected.
	memoryBeside = 30 << 20
	memoryEvery  = 5 * time.Second

	// gcPercent is how much garbage may lie about, in percent of what lives. The cache is counted apart and most of what lives, so
	// with the runtime's 100 a mount that just writes small files collects its few MiB all the time: about a tenth of
	// its CPU time, for 15 MiB.
	gcPercent = 200
)

// boundMemory makes the collector come at the right times and keeps what the process has resident below the read cache's size (bytes)
// and 64 MiB as long as what is in use fits: without it garbage may take as much again. GOGC and GOMEMLIMIT, where they are
// set, say otherwise. It returns when ctx ends.
func boundMemory(ctx context.Context, cache int64) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	tick := time.NewTicker(memoryEvery)
	defer tick.Stop()
	for was := int64(0); ; {
		metrics.Read(live)
		if limit := memoryLimit(cache, live[0].Value.Uint64()); limit != was { // setting it stops the world
			debug.SetMemoryLimit(limit)
			was = limit
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// memoryLimit is the limit for a process in which so many bytes are in use: a quarter more at least, for a limit below what is
// in use would leave the collector no end.
func memoryLimit(cache int64, live uint64) int64 {
	needed := int64(min(live, math.MaxInt64/2))
	return max(cache+memoryBeside, needed+needed/4)
}
