package script

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/identity/cognitotest"
	"github.com/s3levelfs/s3levelfs/tests/rig"
)

// terminal is a pseudo-terminal with a program that has it as its own.
type terminal struct {
	t            *testing.T
	master, line *os.File
	cmd          *exec.Cmd
	ended        chan error
	mu           sync.Mutex
	shown        strings.Builder
}

// onTerminal starts a command of the app's user there.
func (a *app) onTerminal(args ...string) *terminal {
	a.t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		a.t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		a.t.Fatal(err)
	}
	line, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		a.t.Fatal(err)
	}
	p := &terminal{t: a.t, master: master, line: line, ended: make(chan error, 1), cmd: exec.CommandContext(a.t.Context(), rig.Bin, args...)}
	p.cmd.Env = append(append(os.Environ(), a.env...), "XDG_RUNTIME_DIR="+filepath.Join(a.top, "run"), "HOME="+a.top)
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = line, line, line
	p.cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true, Pdeathsig: unix.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	go func() { p.ended <- p.cmd.Wait() }()
	read := make(chan struct{})
	go func() {
		defer close(read)
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			p.mu.Lock()
			p.shown.Write(buf[:n])
			p.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	a.t.Cleanup(func() {
		_ = line.Close() // the last one: the reader gets EIO
		<-read
		_ = master.Close()
	})
	return p
}

func (p *terminal) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.shown.String()
}

// echoes tells whether the terminal shows what is typed.
func (p *terminal) echoes() bool {
	p.t.Helper()
	state, err := unix.IoctlGetTermios(int(p.line.Fd()), unix.TCGETS)
	if err != nil {
		p.t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

// asks waits for a question whose answer is not shown, and types something.
func (p *terminal) asks(question, answer string) {
	p.t.Helper()
	until(p.t, question, func() bool { return strings.HasSuffix(p.text(), question) && !p.echoes() })
	if _, err := p.master.WriteString(answer); err != nil {
		p.t.Fatal(err)
	}
}

// end waits for the end of the program.
func (p *terminal) end() error {
	p.t.Helper()
	select {
	case err := <-p.ended:
		return err
	case <-time.After(rig.CommandTimeout):
		p.t.Fatalf("the program goes on: %s", p.text())
		return nil
	}
}

// TestLoginOnATerminal: passwords and codes are typed without being shown, and the terminal is as before afterwards, also
// after Ctrl-C at a question.
func TestLoginOnATerminal(t *testing.T) {
	a := newApp(t, cognitotest.Config{})
	a.fake.AddUser(cognitotest.User{Name: "dora", Password: "temporary1-of-dora", NewPassword: true, MFA: []string{cognitotest.MFATOTP}})
	p := a.onTerminal("login", "dora")
	const chosen = "An0ther-Password"
	p.asks("Password of dora: ", "temporary1-of-dora\n")
	p.asks("New password: ", chosen+"\n")
	p.asks("New password again: ", chosen+"\n")
	code := a.fake.TOTP("dora")
	p.asks("Code of your authenticator app: ", code+"\n")
	if err := p.end(); err != nil {
		t.Fatalf("%v: %s", err, p.text())
	}
	until(t, "the last line", func() bool { return strings.Contains(p.text(), "signed in as dora, identity ") })
	for _, secret := range []string{"temporary1", chosen, code} {
		if strings.Contains(p.text(), secret) {
			t.Errorf("%q was shown: %s", secret, p.text())
		}
	}
	if !p.echoes() {
		t.Error("the terminal shows nothing any more")
	}

	p = a.onTerminal("login", "alice")
	p.asks("Password of alice: ", "Corr3ct\x03")
	err := p.end()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.String() != "signal: interrupt" {
		t.Errorf("Ctrl-C: %v, want an end by the signal", err)
	}
	if !p.echoes() {
		t.Error("after Ctrl-C the terminal shows nothing any more")
	}
	if strings.Contains(p.text(), "Corr3ct") {
		t.Errorf("shown: %s", p.text())
	}
}
