package uploader_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/s3levelfs/s3levelfs/store/memstore"
)

// foreignModel runs local writers against foreign ones that replace and delete objects behind their back.
type foreignModel struct {
	*rig

	n      int
	stored map[string]bool   // values that the bucket has had
	ours   map[string]string // our last value of each key
	theirs map[string]string // the last foreign value of a key that we have not seen
}

// TestNobodysUpdateIsLostSilently (promise 4): what we wrote has been in the bucket, under its name or a
// conflict name; what somebody else wrote and we have not seen is still there.
func TestNobodysUpdateIsLostSilently(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := drawSteps(rt, []string{"put", "put", "late", "replace", "replace", "delete", "time", "crash"})
		var failed any
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, memstore.Config{})
			defer func() { r.stop() }()
			defer func() { failed = recover() }()
			r.ft = panicker{}
			check(t, r.u.Prove(t.Context(), level))
			m := &foreignModel{rig: r, stored: map[string]bool{}, ours: map[string]string{}, theirs: map[string]string{}}
			for _, s := range steps {
				m.do(s)
			}
			m.drain()
			m.snapshot()
			m.judge()
		})
		if failed != nil {
			rt.Fatalf("%v\nof %+v", failed, steps)
		}
	})
}

func (m *foreignModel) value(who string) string {
	m.n++
	return fmt.Sprint(who, m.n)
}

func (m *foreignModel) snapshot() {
	synctest.Wait()
	for _, v := range m.bucket() {
		m.stored[v] = true
	}
}

func (m *foreignModel) do(s step) {
	m.snapshot()
	switch s.op {
	case "put":
		m.write(s.from, func() {})
	case "late": // the foreign write comes between our open and our close
		m.write(s.from, func() { m.replace(s.from) })
	case "replace":
		m.replace(s.from)
	case "delete":
		m.mem.Remove(s.from)
		delete(m.theirs, s.from)
	case "time":
		time.Sleep(time.Duration(s.ms) * time.Millisecond)
	case "crash":
		m.crash()
	}
}

func (m *foreignModel) write(k string, meanwhile func()) {
	if _, pending := m.u.Lookup(k); !pending {
		delete(m.theirs, k) // our open sees it
	}
	f := m.create(k)
	meanwhile()
	v := m.value("ours")
	m.writeAt(f, v, 0)
	m.close(f)
	m.ours[k] = v
}

func (m *foreignModel) replace(k string) {
	v := m.value("theirs")
	m.mem.PutString(k, v)
	m.theirs[k] = v
}

func (m *foreignModel) judge() {
	for k, v := range m.ours {
		if !m.stored[v] {
			m.ft.Fatalf("our last write of %q (%s) was never stored: %v", k, v, m.bucket())
		}
	}
	for k, v := range m.theirs {
		if got := m.bucket()[k]; got != v {
			m.ft.Fatalf("their %q (%s) was overwritten unseen by %q", k, v, got)
		}
	}
}
