package churn

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime/debug"
	"testing"

	"golang.org/x/sys/unix"
)

// A page of a map that is waited for holds its thread where Go's collector can not stop it, and the proxy of the tests would be stopped
// meanwhile: who maps files is a process of its own.

const roleVar = "S3LEVELFS_CHURN_READER"

// order is what a reader is to do, one at a time.
type order struct {
	Open  string // this file instead of the last one: map it, and
	Begin int    // read so many bytes
	Read  bool   // from Off to the end
	Off   int
	Look  bool // at the map
}

// answer is what came of it.
type answer struct {
	Version     uint32
	End         int        // offset behind the last byte read
	Errno       unix.Errno // of the file system
	Pages, Gone int        // of the map: read, and SIGBUS
	Wrong       string     // bytes that can not be
}

// reader is such a process.
type reader struct {
	cmd *exec.Cmd
	in  *json.Encoder
	out *json.Decoder
	end func(t *testing.T)
}

func startReader(t *testing.T) *reader {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	r := &reader{cmd: exec.Command(self)}
	r.cmd.Env = append(os.Environ(), roleVar+"=1")
	r.cmd.Stderr = os.Stderr
	r.cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	in, err := r.cmd.StdinPipe()
	must(t, err)
	out, err := r.cmd.StdoutPipe()
	must(t, err)
	must(t, r.cmd.Start())
	r.in, r.out = json.NewEncoder(in), json.NewDecoder(out)
	r.end = func(t *testing.T) {
		t.Helper()
		must(t, in.Close())
		must(t, r.cmd.Wait())
	}
	t.Cleanup(func() {
		if r.cmd.ProcessState == nil {
			_ = r.cmd.Process.Kill()
			_ = r.cmd.Wait()
		}
	})
	return r
}

// ask has it do something.
func (r *reader) ask(t *testing.T, o order) (a answer) {
	t.Helper()
	must(t, r.in.Encode(o))
	must(t, r.out.Decode(&a))
	return a
}

// playReader is the process.
func playReader() int {
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	var r held
	for {
		var o order
		if err := in.Decode(&o); err != nil {
			r.close()
			return 0 // the test has ended
		}
		if err := out.Encode(r.obey(o)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
}

// held is the file that the process has.
type held struct {
	file   *os.File
	mapped []byte
}

func (h *held) close() {
	if h.mapped != nil {
		_ = unix.Munmap(h.mapped)
	}
	if h.file != nil {
		_ = h.file.Close()
	}
	*h = held{}
}

func (h *held) obey(o order) (a answer) {
	var err, wrong error
	switch {
	case o.Open != "":
		a.Version, err = h.open(o.Open, o.Begin)
	case o.Read:
		a.Version, a.End, err, wrong = readOn(h.file, o.Off)
	case o.Look:
		wrong = h.look(&a)
	}
	if err != nil && !errors.As(err, &a.Errno) {
		wrong = errors.Join(wrong, err)
	}
	if wrong != nil {
		a.Wrong = wrong.Error()
	}
	return a
}

func (h *held) open(path string, begin int) (v uint32, err error) {
	h.close()
	if h.file, err = os.Open(path); err != nil {
		return 0, err
	}
	p := make([]byte, begin)
	n, err := h.file.ReadAt(p, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	if v, err = judge(p[:n], 0); err != nil {
		return v, err
	}
	st, err := h.file.Stat()
	if err != nil {
		return v, err
	}
	h.mapped, err = unix.Mmap(int(h.file.Fd()), 0, int(st.Size()), unix.PROT_READ, unix.MAP_SHARED)
	return v, err
}

// look reads pages here and there.
func (h *held) look(a *answer) error {
	for off := 0; off+8 <= len(h.mapped); off += 64 * kib {
		p, ok := page(h.mapped, off)
		if !ok {
			a.Gone++
			continue
		}
		v, err := judge(p, off)
		if err == nil && a.Pages > 0 && v != a.Version {
			err = fmt.Errorf("at %d: version %d, before it version %d", off, v, a.Version)
		}
		if err != nil {
			return err
		}
		a.Version = v
		a.Pages++
	}
	return nil
}

// page copies a page out of a map; false = SIGBUS.
func page(mapped []byte, off int) (p []byte, ok bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil {
			p, ok = nil, false
		}
	}()
	return bytes.Clone(mapped[off : min(off+4*kib, len(mapped))/8*8]), true
}
