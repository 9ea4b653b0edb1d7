package account

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/identity"
)

// asker asks who sits at the terminal, or, with --password-stdin, reads the answers line by line.
type asker struct {
	in     *bufio.Reader
	secret func() (string, error) // reads one that is not shown
	say    io.Writer
}

var _ identity.Prompter = (*asker)(nil)

func newAsker(stdin bool) (*asker, error) {
	a := &asker{in: bufio.NewReader(os.Stdin), say: os.Stderr}
	if stdin {
		a.say, a.secret = io.Discard, a.line
		return a, nil
	}
	if !cmdline.IsTerminal(os.Stdin) {
		return nil, cmdline.WithCode(cmdline.ExitUsage, errors.New("standard input is no terminal, so no password can be asked for: give --password-stdin"))
	}
	a.secret = func() (string, error) { return readHidden(int(os.Stdin.Fd()), a.say) }
	return a, nil
}

// readHidden reads a line that the terminal does not show. A signal that ends the program, as Ctrl-C sends it, leaves the terminal as it was.
func readHidden(fd int, say io.Writer) (string, error) {
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT)
	defer signal.Stop(signals)
	read := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-read:
		case s := <-signals:
			_ = term.Restore(fd, before)
			_, _ = fmt.Fprintln(say)
			signal.Reset(s)
			if n, ok := s.(unix.Signal); ok {
				_ = unix.Kill(os.Getpid(), n) // what waits for the program is to see how it ended
			}
		}
	})
	text, err := term.ReadPassword(fd)
	close(read)
	wg.Wait()
	_, _ = fmt.Fprintln(say) // what was typed has shown no new line
	return string(text), err
}

// line reads one, without its end.
func (a *asker) line() (string, error) {
	text, err := a.in.ReadString('\n')
	if err != nil && (text == "" || !errors.Is(err, io.EOF)) {
		return "", errors.New("standard input has ended before all was answered that the user pool asks")
	}
	return strings.TrimRight(text, "\r\n"), nil
}

func (a *asker) ask(question string) (string, error) {
	_, _ = fmt.Fprintf(a.say, "%s: ", question)
	return a.line()
}

func (a *asker) askSecret(question string) (identity.Secret, error) {
	_, _ = fmt.Fprintf(a.say, "%s: ", question)
	text, err := a.secret()
	if err == nil && text == "" {
		err = cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("no answer to %q: nothing was sent", question))
	}
	return identity.Secret(text), err
}

// account gives the user name, asked for if it is not given, and the password.
func (a *asker) account(user string) (string, identity.Secret, error) {
	if user == "" {
		var err error
		if user, err = a.ask("User name"); err != nil {
			return "", "", err
		}
	}
	if user == "" {
		return "", "", cmdline.WithCode(cmdline.ExitUsage, errors.New("no user name: nothing was sent"))
	}
	password, err := a.askSecret("Password of " + cmdline.Printable(user))
	return user, password, err
}

// NewPassword implements [identity.Prompter].
func (a *asker) NewPassword(_ context.Context, attributes []string) (identity.Secret, map[string]string, error) {
	_, _ = fmt.Fprintln(a.say, "The password was a temporary one.")
	password, err := a.askSecret("New password")
	if err != nil {
		return "", nil, err
	}
	again, err := a.askSecret("New password again")
	if err != nil {
		return "", nil, err
	}
	if again != password {
		return "", nil, cmdline.WithCode(cmdline.ExitUsage, errors.New("the two new passwords differ: nothing was changed, sign in again"))
	}
	values := map[string]string{}
	for _, name := range attributes {
		if values[name], err = a.ask("Your " + cmdline.Printable(name)); err != nil {
			return "", nil, err
		}
	}
	return password, values, nil
}

// Code implements [identity.Prompter].
func (a *asker) Code(_ context.Context, kind identity.CodeKind, sentTo string, again bool) (identity.Secret, error) {
	question := "Code of your authenticator app"
	if kind != identity.CodeAuthenticator {
		question = fmt.Sprintf("Code sent by %s", kind)
		if sentTo != "" {
			question += " to " + cmdline.Printable(sentTo)
		}
	}
	if again {
		question = "That was wrong. " + question
	}
	return a.askSecret(question)
}

// Choose implements [identity.Prompter]; the answer is a number or the kind.
func (a *asker) Choose(_ context.Context, kinds []identity.CodeKind) (identity.CodeKind, error) {
	choices := make([]string, 0, len(kinds))
	for i, k := range kinds {
		choices = append(choices, fmt.Sprintf("%d %s", i+1, k))
	}
	text, err := a.ask("Second factor: " + strings.Join(choices, ", "))
	if err != nil {
		return "", err
	}
	if n, err := strconv.Atoi(text); err == nil && n >= 1 && n <= len(kinds) {
		return kinds[n-1], nil
	}
	return identity.CodeKind(text), nil
}
