package tracking

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// lines writes a JSON document a line; a batch is one write.
type lines struct {
	to    io.Writer
	close func() error
	torn  bool // the last line has no end
}

// OpenFile appends to a file, which it makes, 0600, when it is not there. Several processes may append to one: O_APPEND keeps their batches
// apart on a local file system. Of a named pipe the reader must be there; one that does not read is waited for as long as a Send's context lasts.
func OpenFile(path string) (Sink, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, fmt.Errorf("tracking: %w", err)
	}
	return &lines{to: f, close: f.Close}, nil
}

// ToWriter writes to w, which stays open.
func ToWriter(w io.Writer) Sink { return &lines{to: w, close: func() error { return nil }} }

// Send refuses a batch for good that was written in part: sent again it would be there twice. What follows begins a line.
func (l *lines) Send(ctx context.Context, batch []Event) Outcome {
	var text bytes.Buffer
	if l.torn {
		text.WriteByte('\n')
	}
	to := json.NewEncoder(&text)
	for _, e := range batch {
		if err := to.Encode(e); err != nil {
			return taken(batch, err)
		}
	}
	defer bounded(ctx, l.to)()
	size := text.Len()
	n, err := l.to.Write(text.Bytes())
	if n > 0 {
		l.torn = text.Bytes()[min(n, size)-1] != '\n'
	}
	switch {
	case err == nil && n == size:
		return Outcome{}
	case err == nil:
		err = io.ErrShortWrite
	case n == 0:
		return Outcome{Again: batch, Err: err} // a full disk may get room
	}
	return taken(batch, err)
}

// bounded ends writes to a pipe with a context; release gives it back. What has no deadlines, as files on disks, waits for nobody.
func bounded(ctx context.Context, to io.Writer) (release func()) {
	f, ok := to.(*os.File)
	if !ok {
		return func() {}
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		_ = f.SetWriteDeadline(time.Unix(1, 0))
	})
	return func() {
		if !stop() {
			<-ended
			_ = f.SetWriteDeadline(time.Time{})
		}
	}
}

func (l *lines) Close() error { return l.close() }

// toLog writes to a log.
type toLog struct{ log *zap.Logger }

// ToLogger writes each event as a line of a log, at the level info.
func ToLogger(log *zap.Logger) Sink { return toLog{log} }

func (l toLog) Send(_ context.Context, batch []Event) Outcome {
	for _, e := range batch {
		fields := []zap.Field{zap.String("method", string(e.method)), zap.String("result", e.result)}
		if e.size != noSize {
			fields = append(fields, zap.Int64("fileSize", e.size))
		}
		l.log.Info("Storage", append(fields, zap.Time("at", e.at))...)
	}
	return Outcome{}
}

func (toLog) Close() error { return nil }
