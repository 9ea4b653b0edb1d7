//go:build !nolocal

package local

import (
	"bytes"
	"strings"
	"sync"

	"go.uber.org/zap"
)

const (
	maxLine  = 4 << 10
	maxLines = 8
)

// lastLines logs what the child prints, line by line, and keeps the last lines to
// explain its end. exec's copying goroutine writes.
type lastLines struct {
	log *zap.Logger

	mu    sync.Mutex
	part  []byte
	lines []string
}

// Write implements io.Writer; it never fails.
func (l *lastLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(p)
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			l.part = append(l.part, p[:min(len(p), maxLine-min(len(l.part), maxLine))]...)
			break
		}
		l.part = append(l.part, p[:min(i, maxLine-min(len(l.part), maxLine))]...)
		l.line()
		p = p[i+1:]
	}
	return n, nil
}

// line ends the line at hand. The caller holds mu.
func (l *lastLines) line() {
	text := strings.TrimSpace(string(l.part))
	l.part = l.part[:0]
	if text == "" {
		return
	}
	l.log.Debug("embedded S3 server says", zap.String("line", text))
	if len(l.lines) == maxLines {
		l.lines = append(l.lines[:0], l.lines[1:]...)
	}
	l.lines = append(l.lines, text)
}

func (l *lastLines) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.line()
}

// last gives the last lines in one.
func (l *lastLines) last() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "; ")
}
