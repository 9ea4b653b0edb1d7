package crash

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/tests/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

// rounds is 15 in CI; `make soak` asks for more.
func rounds(t *testing.T) int {
	text := os.Getenv("S3LEVELFS_CRASH_ROUNDS")
	if text == "" {
		return 15
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestKillNine: nothing that was closed is lost, changed or brought back by a
// kill -9 of the daemon (docs/SEMANTICS.md, promise 1).
func TestKillNine(t *testing.T) {
	const workers, filesEach = 6, 8
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	top := t.TempDir()
	server := rig.StartServer(t, filepath.Join(top, "data"))
	proxy := rig.StartProxy(t, server.Endpoint)
	options := []string{
		"--bucket", rig.Bucket, "--endpoint", proxy.Endpoint, "--path-style", "--identity-id", rig.Identity, "--log-level", "warn",
	}
	m := rig.MountAt(t, top, server.Env, options...)
	private := filepath.Join(m.Dir, "private")
	var crew []*worker
	for i := range workers {
		crew = append(crew, newWorker(private, i, seed, filesEach))
	}
	var inFlight int
	bad := map[outcome]int{}
	for round := range rounds(t) {
		proxy.SetDelay(time.Duration(rnd.IntN(40)) * time.Millisecond)
		var wg sync.WaitGroup
		wg.Add(workers)
		for _, w := range crew {
			go w.run(&wg)
		}
		waitForMoment(proxy, rnd, round%3 == 0)
		if n, _ := proxy.Writing(); n > 0 {
			inFlight++
		}
		m.Kill()
		wg.Wait()
		m = rig.MountAt(t, top, server.Env, options...)
		for _, w := range crew {
			for _, f := range w.files {
				if o, what := f.check(private); o != right {
					bad[o]++
					t.Errorf("round %d: %s", round, what)
				}
			}
		}
	}
	proxy.SetDelay(0)
	m.Unmount(t)
	compareBucket(t, filepath.Join(server.Data, rig.Bucket, "private", rig.Identity), crew)
	closed, ops := 0, map[string]int{}
	for _, w := range crew {
		for _, f := range w.files {
			closed += f.closed
		}
		for op, n := range w.ops {
			ops[op] += n
		}
	}
	t.Logf("%d kills, %d with an upload in flight, %d operations ended (%v): %d lost, %d corrupt, %d resurrected",
		rounds(t), inFlight, closed, ops, bad[lost], bad[corrupt], bad[resurrected])
	if inFlight*3 < rounds(t) {
		t.Errorf("only %d of %d kills hit an upload", inFlight, rounds(t))
	}
}

// waitForMoment lets the load run for a random time; with upload, further
// until a write request is on its way.
func waitForMoment(p *rig.Proxy, rnd *rand.Rand, upload bool) {
	<-time.After(time.Duration(50+rnd.IntN(1200)) * time.Millisecond)
	if n, started := p.Writing(); upload && n == 0 {
		select {
		case <-started:
		case <-time.After(5 * time.Second):
		}
	}
}

// compareBucket holds the plain files of the embedded bucket against the model.
func compareBucket(t *testing.T, dir string, crew []*worker) {
	t.Helper()
	want := map[string]bool{}
	for _, w := range crew {
		for _, f := range w.files {
			if f.present {
				want[f.path] = true
			}
			if o, what := f.check(dir); o != right {
				t.Errorf("in the bucket: %s", what)
			}
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !want[e.Name()] && !strings.HasPrefix(e.Name(), ".s3levelfs-probe-") {
			t.Errorf("the bucket has %s, which nobody left there", e.Name())
		}
	}
}
