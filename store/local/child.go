//go:build !nolocal

package local

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// graceful bounds the tidy end of the child; its files are whole at any moment.
const graceful = time.Second

// MaybeRunChild turns a process that was started to be the server into it, and
// then never returns. In every other process it does nothing. It comes first in
// main and TestMain.
func MaybeRunChild() {
	if os.Getenv(childEnv) != childValue {
		return
	}
	_ = os.Unsetenv(childEnv) // children of this process are no servers
	os.Exit(runChild(os.Stdin, os.NewFile(replyFD, "reply")))
}

// runChild serves until its input ends or SIGTERM comes.
func runChild(in io.Reader, out *os.File) int {
	// A terminal's signals are meant for the parent, who ends us when it has
	// sent its last request.
	signal.Ignore(syscall.SIGINT, syscall.SIGHUP)
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	answer := sync.OnceFunc(func() { _ = out.Close() })
	defer answer()
	say := func(r reply) {
		_ = json.NewEncoder(out).Encode(r) // without a reader the input ends too
		answer()
	}
	orders := bufio.NewReader(in)
	var o order
	line, err := orders.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &o)
	}
	if err != nil {
		say(reply{Error: fmt.Sprintf("order not understood: %v", err)})
		return 1
	}
	orphaned := make(chan struct{})
	go func() { // ends with the process: reading can not be called off
		_, _ = io.Copy(io.Discard, orders)
		close(orphaned)
	}()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	served := make(chan error, 1)
	go func() { served <- serve(ctx, o, func(addr string) { say(reply{Address: addr}) }) }()
	select {
	case err = <-served:
	case <-orphaned:
	case <-term:
	}
	cancel()
	if err == nil {
		select {
		case err = <-served:
		case <-time.After(graceful):
		}
	}
	if o.Socket {
		_ = os.RemoveAll(filepath.Dir(o.Listen)) // a leftover hurts nobody
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		say(reply{Error: err.Error()})
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
