package daemon

import (
	"context"
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// cacheMemory is the read cache's part of --memory, a half: what it has cached, what is being read and what is in flight. The kernel
// keeps what was read, so that a larger cache would mostly hold it twice.
func cacheMemory(memory int64) int64 { return memory / 2 }

// kernelMemory is the part of --memory, a quarter, which the data of the kernel's requests may have that are being worked on.
func kernelMemory(memory int64) int64 { return max(memory/4, 8<<20) }

// rememberedFiles is how many files the kernel may remember: at a kilobyte each they take up to half of --memory, which is
// more than most have at once.
func rememberedFiles(memory int64) int { return int(max(memory>>11, 8192)) }

const (
	// memoryBeside is what the runtime may have besides --memory: 64 MiB, less the program itself, 30 MiB which the
	// runtime does not count, and what it goes beyond a limit before it has collected.
	memoryBeside = 30 << 20
	memoryEvery  = 5 * time.Second

	// gcPercent is how much garbage may lie about, in percent of what lives. The cache is counted apart and most of what lives, so
	// with the runtime's 100 a mount that just writes small files collects its few MiB all the time: about a tenth of
	// its CPU time, for 15 MiB.
	gcPercent = 200
)

// boundMemory makes the collector come at the right times and keeps what the process has resident below memory (bytes)
// and 64 MiB as long as what is in use fits: without it garbage may take as much again. GOGC and GOMEMLIMIT, where they are
// set, say otherwise. It returns when ctx ends.
func boundMemory(ctx context.Context, memory int64) {
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
		if limit := memoryLimit(memory, live[0].Value.Uint64()); limit != was { // setting it stops the world
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
func memoryLimit(memory int64, live uint64) int64 {
	needed := int64(min(live, math.MaxInt64/2))
	return max(memory+memoryBeside, needed+needed/4)
}
