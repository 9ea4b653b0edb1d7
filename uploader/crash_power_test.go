package uploader_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/uploader"
	"github.com/s3levelfs/s3levelfs/uploader/spool/spooltest"
)

// Promises 1 and 2 when the power is lost: what was there at the last group sync, and was not changed since, is there;
// nothing is a mixture of versions, and what was removed before that sync stays removed.

// syncs names the acts after which everything before is on stable storage.
func (a *act) syncs() bool {
	return strings.HasPrefix(a.name, "sync") || strings.HasPrefix(a.name, "fsync")
}

// drawActs draws a workload; contents are told apart by their number, some have so many bytes.
func drawActs(t *rapid.T, large int) []act {
	names := []string{"a", "b", "c", "d/e", "d/f"}
	var acts []act
	v, n := view{}, 0
	add := func(a act) { acts = append(acts, a); a.then(v) }
	data := func() string {
		n++
		text := fmt.Sprintf("<%d>", n)
		if rapid.IntRange(0, 4).Draw(t, "large") == 0 {
			return strings.Repeat(text, large/len(text))
		}
		return text
	}
	for range rapid.IntRange(3, 25).Draw(t, "acts") {
		name := rapid.SampledFrom(names).Draw(t, "name")
		to := rapid.SampledFrom(names).Draw(t, "to")
		_, there := v[key(name)]
		switch op := rapid.SampledFrom([]string{"put", "edit", "rename", "rename", "remove", "fsync", "time", "sync", "replace"}).Draw(t, "op"); {
		case op == "time":
			add(pause(time.Duration(rapid.IntRange(1, 900).Draw(t, "ms")) * time.Millisecond))
		case op == "sync" && there: // at the latest a second later
			add(act{"sync by itself", pause(2500 * time.Millisecond).do, func(view) {}})
		case op == "sync":
			add(act{"sync", func(c *script) error { return c.u.Sync(bg) }, func(view) {}})
		case op == "put" || !there:
			add(putAct(name, data()))
		case op == "edit":
			add(editAct(name, data(), rapid.IntRange(0, 3).Draw(t, "off")))
		case op == "rename" && to != name:
			add(moveAct(name, to))
		case op == "remove":
			add(removeAct(name))
		case op == "fsync": // and left open until the end
			d := data()
			add(act{"fsync " + name, func(c *script) error {
				if err := c.opened(key(name), true); err != nil {
					return err
				}
				if err := c.write(key(name), d, 0); err != nil {
					return err
				}
				defer func() { _ = c.closed(key(name)) }()
				return c.open[key(name)].Sync(bg)
			}, func(v view) { v[key(name)] = d }})
		case op == "replace" && to != name: // as editors do
			add(putAct(to, data()))
			add(moveAct(to, name))
		default:
			add(putAct(name, data()))
		}
	}
	return acts
}

// powerLoss is one run: until the loss, and after it.
type powerLoss struct {
	acts  []act
	at    int  // event of the loss; behind the last: at the end
	local bool // the store is on the same disk
	seed  uint64
}

func TestPowerLossKeepsWhatWasSynced(t *testing.T) {
	for name, local := range map[string]bool{"remote": false, "local": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(rt *rapid.T) {
				p := powerLoss{acts: drawActs(rt, 75_000), at: rapid.IntRange(1, 120).Draw(rt, "event"), local: local, seed: rapid.Uint64().Draw(rt, "seed")}
				bad := ""
				synctest.Test(t, func(t *testing.T) { bad = p.run(t) })
				if bad != "" {
					rt.Fatal(bad)
				}
			})
		})
	}
}

func (p *powerLoss) run(t *testing.T) string {
	rnd := rand.New(rand.NewPCG(p.seed, 0))
	lost := filepath.Join(fastDir(t), "lost")
	var disk *spooltest.Disk
	k := &killer{t: t, at: p.at, late: p.seed%2 == 0}
	k.image = func(string) string {
		check(t, disk.Lose(lost, rnd.IntN))
		return lost
	}
	c := &script{rig: newRig(t, memstore.Config{MinPart: 1}, func(c *uploader.Config) { c.PartSize = 32 << 10 }), open: map[string]*uploader.File{}, killer: k}
	c.logged = noRecords
	defer func() {
		c.stop()
		time.Sleep(time.Minute)
	}()
	d := &diskStore{Store: c.mem}
	k.script = c
	c.restart(func() {
		c.store = &mortal{Store: c.mem, k: k}
		if p.local {
			c.store = &mortal{Store: d, k: k}
		}
		disk = spooltest.NewDisk(c.dir)
		c.onSync = disk.OnSync
	})
	check(t, c.u.Prove(bg, level), c.u.Sync(bg), d.Sync(bg))
	c.watch()
	done, begun, err := c.run(p.acts)
	if err != nil {
		return err.Error()
	}
	if !k.isDead() {
		synctest.Wait()
		c.u.Frozen(func() { k.at = k.n + 1; _ = k.event("all is done") })
	}
	synctest.Wait()
	c.stop()
	time.Sleep(time.Second) // what is on its way ends: nobody waits for a sync of the store
	synctest.Wait()
	if c.store = c.mem; p.local {
		d.loseSome(rnd)
		c.store = d
	}
	c.dir, c.boot, c.onSync = lost, "boot-2", nil
	c.rig.open()
	c.drain()
	return p.judge(c.rig, done, begun, k.what)
}

// loseSome is a power loss that takes some of what was not synced.
func (d *diskStore) loseSome(rnd *rand.Rand) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.Objects()
	keys := map[string]bool{}
	for k := range now {
		keys[k] = true
	}
	for k := range d.disk {
		keys[k] = true
	}
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		if rnd.IntN(2) == 0 {
			continue
		}
		if o, was := d.disk[k]; was {
			d.PutRaw(k, o)
		} else {
			d.Remove(k)
		}
	}
	if rnd.IntN(2) == 0 {
		d.LoseUploads()
	}
	d.disk = d.Objects()
}

// judge compares the bucket with what is allowed: the states since the last sync.
func (p *powerLoss) judge(r *rig, done, begun int, when string) string {
	all, synced := views(p.acts), 0
	for i := range done {
		if p.acts[i].syncs() {
			synced = i + 1
		}
	}
	states := all[synced : begun+1]
	versions := map[string]bool{}
	for _, v := range all {
		for _, data := range v {
			versions[data] = true
		}
	}
	seen, stored := r.seen(), map[string]bool{}
	for k, data := range r.bucket() {
		stored[data] = true
		if !versions[data] {
			return fmt.Sprintf("lost when %s: %s is %.40q (%d bytes), which it never was", when, k, data, len(data))
		}
	}
	tell := func(what, k string) string {
		var names []string
		for i, a := range p.acts[:begun] {
			names = append(names, fmt.Sprint(i, " ", a.name))
		}
		return fmt.Sprintf("lost when %s: %s at %s; %d of %d acts done, synced after %d: %q; kept %+v",
			when, what, k, done, begun, synced, names, r.u.Kept())
	}
	for _, k := range []string{key("a"), key("b"), key("c"), key("d/e"), key("d/f")} {
		got, there := seen[k]
		if !slices.ContainsFunc(states, func(v view) bool { data, ok := v[k]; return ok == there && data == got }) {
			return tell(fmt.Sprintf("is %.40q (there %v), was %.40q", got, there, states[0][k]), k)
		}
	}
	for k, data := range states[0] {
		wanted := !slices.ContainsFunc(states, func(v view) bool { return !slices.Contains(slices.Collect(maps.Values(v)), data) })
		if wanted && !stored[data] {
			return tell(fmt.Sprintf("%.40q is nowhere", data), k)
		}
	}
	return ""
}
