package crash

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/tests/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

// rounds is 15 in CI; `make soak` asks for more, in which more than 20,000 files are closed.
func rounds(t *testing.T) (n int, closesEach int64) {
	text := os.Getenv("S3LEVELFS_CRASH_ROUNDS")
	if text == "" {
		return 15, 20
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n, 205
}

// history is one run: a server, a mount that is killed again and again, and its load.
type history struct {
	t      *testing.T
	top    string
	server *rig.Server
	proxy  *rig.Proxy
	mount  *rig.Mount
	rnd    *rand.Rand
	load   *load
	crew   []*worker
	kills  kills

	mu   sync.Mutex
	bad  map[outcome]int
	kept int // quarantined files that were named and discarded
}

// TestKillNine: nothing that was closed is lost, changed or brought back by a
// kill -9 of the daemon (docs/SEMANTICS.md, promise 1).
func TestKillNine(t *testing.T) {
	const workers = 8
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	h := &history{
		t: t, top: t.TempDir(), rnd: rand.New(rand.NewPCG(seed, 0)), bad: map[outcome]int{},
		kills: kills{aims: map[string]int{}, missed: map[string]int{}},
	}
	h.server = rig.StartServer(t, filepath.Join(h.top, "data"))
	h.proxy = rig.StartProxy(t, h.server.Endpoint)
	h.mountAgain(0)
	h.load = &load{
		dir: filepath.Join(h.mount.Dir, "private"), closed: make(chan *file), errs: make(chan error, 1),
		begun: func(path string) int { return h.proxy.Begun(objectPath(path)) },
	}
	for i := range workers {
		h.crew = append(h.crew, newWorker(h.load, i, seed))
	}
	list := aims()
	n, closesEach := rounds(t)
	h.load.quota = closesEach
	for round := range n {
		h.round(round, list[round%len(list)])
		if round%10 == 9 {
			h.discardKept()
		}
	}
	h.mount.Unmount(t)
	h.compareBucket()
	h.report()
}

func objectPath(name string) string {
	return "/" + rig.Bucket + "/private/" + rig.Identity + "/" + name
}

// mountAgain mounts; every other time all files in parts are changed by copies of the parts that stay.
func (h *history) mountAgain(round int) {
	options := []string{
		"--bucket", rig.Bucket, "--endpoint", h.proxy.Endpoint, "--path-style", "--identity-id", rig.Identity, "--log-level", "debug",
	}
	if round%2 == 1 {
		options = append(options, "--pin-base", "8MiB")
	}
	h.mount = rig.MountAt(h.t, h.top, h.server.Env, options...)
}

// round lets the load run until the moment that is aimed at, kills, and compares what the next process shows.
func (h *history) round(n int, a aim) {
	h.proxy.SetDelay(time.Duration(h.rnd.IntN(1+20*(n%3))) * time.Millisecond)
	h.load.killed.Store(false)
	h.load.closes.Store(0)
	var wg sync.WaitGroup
	wg.Add(len(h.crew))
	for _, w := range h.crew {
		go w.run(&wg)
	}
	hit, closed := a.wait(h.t, h.load, h.proxy, h.rnd)
	flying := h.proxy.Flying()
	h.load.killed.Store(true)
	h.mount.Kill()
	// The file is looked up when nothing more can come from the process.
	untouched := closed != nil && int64(h.proxy.Begun(objectPath(closed.path))) == closed.begun.Load()
	h.kills.note(a, hit, flying, untouched)
	wg.Wait()
	h.proxy.OpenTrap()
	select {
	case err := <-h.load.errs:
		h.t.Errorf("round %d: an operation failed while the daemon lived: %v", n, err)
	default:
	}
	if a.again {
		h.mountAgain(n)
		<-time.After(time.Duration(h.rnd.IntN(400)) * time.Millisecond)
		flying = h.proxy.Flying()
		h.mount.Kill()
		h.kills.note(aim{name: "during recovery"}, true, flying, false)
	}
	h.mountAgain(n)
	h.proxy.SetDelay(0)
	for _, w := range h.crew {
		wg.Go(func() {
			w.check(h.load.dir, func(o outcome, name, what string) {
				h.found(o, name, "round "+strconv.Itoa(n)+", "+a.name+": "+what)
			})
		})
	}
	wg.Wait()
	h.proxy.Take()
}

func (h *history) found(o outcome, name, what string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.bad[o]++
	h.t.Error([...]string{"", "lost: ", "corrupt: ", "resurrected: "}[o] + what)
	log, err := os.ReadFile(filepath.Join(h.top, "mount.log"))
	if err != nil {
		h.t.Error(err)
	}
	var of []string // the last lines about the file
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, "/"+name+`"`) || strings.Contains(line, "replayed") {
			of = append(of, line)
		}
	}
	h.t.Logf("the daemon's log:\n%s", strings.Join(of[max(0, len(of)-30):], ""))
}

// discardKept: what was not closed is kept and named, each as what it is; then it may go.
func (h *history) discardKept() {
	h.t.Helper()
	run := func(args ...string) string {
		out, stderr, code := h.mount.Run(h.t, append(args, "--state-dir", filepath.Join(h.top, "state"))...)
		if code != 0 {
			h.t.Fatalf("%q: exit %d: %s", args, code, stderr)
		}
		return out
	}
	var spools []struct {
		Kept []struct{ Key, Generation, Reason string }
	}
	if err := json.Unmarshal([]byte(run("spool", "ls", "--json")), &spools); err != nil || len(spools) != 1 {
		h.t.Fatalf("spool ls: %v, %d spools", err, len(spools))
	}
	for _, k := range spools[0].Kept {
		if k.Reason != "quarantined" {
			h.found(corrupt, filepath.Base(k.Key), k.Key+" is "+k.Reason)
		}
		run("spool", "discard", k.Generation, "--yes")
		h.kept++
	}
}

// compareBucket holds the plain files of the embedded bucket against the model.
func (h *history) compareBucket() {
	h.t.Helper()
	dir := filepath.Join(h.server.Data, rig.Bucket, "private", rig.Identity)
	want := map[string]bool{}
	for _, w := range h.crew {
		for _, f := range w.files() {
			if f.present {
				want[f.path] = true
			}
		}
		w.check(dir, func(o outcome, name, what string) { h.found(o, name, "in the bucket: "+what) })
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, e := range entries {
		if !want[e.Name()] && !strings.HasPrefix(e.Name(), ".s3levelfs-probe-") {
			h.found(resurrected, e.Name(), "the bucket has "+e.Name()+", which nobody left there")
		}
	}
}

func (h *history) report() {
	h.t.Helper()
	closes, synced, ops := 0, 0, map[string]int{} // of operations that ended
	for _, w := range h.crew {
		closes += w.count
		synced += w.synced
		for op, n := range w.ops {
			ops[op] += n
		}
	}
	h.kills.report(h.t)
	h.t.Logf("%d files closed, %d of them synced before; %d quarantined files named and discarded", closes, synced, h.kept)
	for _, op := range sortedKeys(ops) {
		h.t.Logf("  %-22s %6d", op, ops[op])
	}
	h.t.Logf("%d lost, %d corrupt, %d resurrected", h.bad[lost], h.bad[corrupt], h.bad[resurrected])
	if n, each := rounds(h.t); h.kills.n >= 100 && closes < n*int(each) {
		h.t.Errorf("%d files closed", closes)
	}
	for _, op := range []string{"create", "overwrite", "append", "truncate", "rename", "rename-over", "unlink"} {
		for _, class := range []string{" small", " multipart"} {
			if ops[op+class] == 0 && (class == " small" || h.kills.n >= 100) {
				h.t.Errorf("no %s%s", op, class)
			}
		}
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
