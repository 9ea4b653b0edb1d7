package attrs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/internal/frame"
)

const (
	journalName = "attrs.idx"
	lockName    = "attrs.lock"

	frameEntry  uint8 = 1 // payload: encodeEntry
	frameForget uint8 = 2 // payload: the key

	// writeDelay gathers changes into one write. A crash loses as much: a few
	// HEADs, nothing else.
	writeDelay = time.Second
	// spareFrames are allowed besides two for each entry before the file is rewritten.
	spareFrames = 1000
	writeChunk  = 1 << 20
)

// journalFormat is raised with every change of encodeEntry.
func journalFormat() frame.Format { return frame.Format{Magic: "s3lattrs", Version: 1} }

// journal is the file that keeps the entries of own prefixes: frames of entries,
// the last one of a key wins. It is a cache: whatever is wrong with it is
// logged, and costs HEADs. One process writes it; others of the same user only read it at
// their start.
//
// The writer goroutine owns file and frames.
type journal struct {
	index *Index
	path  string
	lock  *flock.Flock
	log   *zap.Logger

	file   *frame.File // nil after a failure: nothing is kept any more
	frames int         // in the file

	wake chan struct{} // holds a token while something is dirty
	stop chan struct{}
	done sync.WaitGroup

	mu    sync.Mutex
	dirty map[string]struct{} // keys whose entry changed since the last write
}

// openJournal loads what the file has kept into x and begins to follow it; nil
// when there can be no file.
func openJournal(x *Index) *journal {
	j := &journal{
		index: x,
		path:  filepath.Join(x.cfg.Dir, journalName),
		log:   x.log,
		wake:  make(chan struct{}, 1),
		stop:  make(chan struct{}),
		dirty: map[string]struct{}{},
	}
	if err := j.open(); err != nil {
		x.log.Warn("attributes are not kept on disk", zap.Error(err))
		return nil
	}
	if j.file == nil {
		return nil
	}
	j.done.Go(j.run)
	return j
}

// open leaves file nil, without an error, when another process has it.
func (j *journal) open() error {
	dir := filepath.Dir(j.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	j.lock = flock.New(filepath.Join(dir, lockName), flock.SetPermissions(0o600))
	mine, err := j.lock.TryLock()
	if err != nil {
		return fmt.Errorf("lock %s: %w", j.lock.Path(), err)
	}
	clean, err := j.load()
	if !mine {
		j.log.Debug("attributes are kept by another process", zap.String("file", j.path))
		return errors.Join(err, j.lock.Close(), j.closeFile())
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		j.log.Warn("kept attributes are dropped", zap.String("file", j.path), zap.Error(err))
	}
	if err != nil || !clean {
		if err := j.rewrite(); err != nil {
			return errors.Join(err, j.closeFile(), j.lock.Close())
		}
	}
	return nil
}

// load reads the file into the index. clean is false when it has damage or too
// much that is outdated, and should be rewritten.
func (j *journal) load() (clean bool, err error) {
	f, err := frame.Open(j.path, journalFormat())
	if err != nil {
		return false, err
	}
	j.file = f
	clean = true
	sc := f.Scan()
	for {
		for sc.Next() {
			j.frames++
			clean = j.apply(sc.Type(), sc.Payload()) && clean
		}
		if !sc.Skip() {
			break
		}
		clean = false
	}
	return clean && sc.End() == f.Size() && !j.bloated(), sc.Err()
}

// apply takes in one frame. It is called before the index is shared.
func (j *journal) apply(typ uint8, payload []byte) (ok bool) {
	x := j.index
	switch typ {
	case frameEntry:
		key, e, err := decodeEntry(payload)
		if err != nil {
			return false
		}
		if x.cfg.Own(key) {
			x.entries.Add(key, e)
		}
	case frameForget:
		x.entries.Remove(string(payload))
	default:
		return false
	}
	return true
}

// note has the writer write the entry of key, or that there is none.
func (j *journal) note(key string) {
	j.mu.Lock()
	j.dirty[key] = struct{}{}
	j.mu.Unlock()
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

func (j *journal) run() {
	for {
		select {
		case <-j.wake:
		case <-j.stop:
			j.write()
			return
		}
		delay := time.NewTimer(writeDelay)
		select {
		case <-delay.C:
		case <-j.stop:
			delay.Stop()
		}
		j.write()
	}
}

// write appends what has changed. After a failure nothing is kept any more.
func (j *journal) write() {
	j.mu.Lock()
	keys := j.dirty
	j.dirty = map[string]struct{}{}
	j.mu.Unlock()
	if j.file == nil || len(keys) == 0 {
		return
	}
	var out []byte
	for key := range keys {
		out = j.index.appendFrame(out, key)
		j.frames++
		if len(out) >= writeChunk {
			j.append(out)
			out = out[:0]
		}
	}
	j.append(out)
	if j.file != nil && j.bloated() {
		if err := j.rewrite(); err != nil {
			j.fail(err)
		}
	}
}

func (j *journal) append(out []byte) {
	if j.file == nil || len(out) == 0 {
		return
	}
	if err := j.file.Append(out); err != nil {
		j.fail(fmt.Errorf("write %s: %w", j.path, err))
	}
}

func (j *journal) fail(err error) {
	j.log.Warn("attributes are not kept on disk any more", zap.Error(errors.Join(err, j.closeFile())))
}

func (j *journal) bloated() bool {
	j.index.mu.Lock()
	defer j.index.mu.Unlock()
	return j.frames > 2*j.index.entries.Len()+spareFrames
}

// rewrite replaces the file by one with the present entries.
func (j *journal) rewrite() error {
	x := j.index
	x.mu.Lock()
	keys := x.entries.Keys() // oldest first: the order in which load adds them
	x.mu.Unlock()
	var (
		out    []byte
		frames int
	)
	for _, key := range keys {
		if x.cfg.Own(key) {
			out = x.appendFrame(out, key)
			frames++
		}
	}
	f, err := frame.Create(j.path, journalFormat(), out)
	if err != nil {
		return err
	}
	err = j.closeFile()
	j.file, j.frames = f, frames
	return err
}

func (j *journal) closeFile() error {
	if j.file == nil {
		return nil
	}
	f := j.file
	j.file = nil
	return f.Close()
}

// close writes what is left and ends the writer.
func (j *journal) close() {
	close(j.stop)
	j.done.Wait()
	if err := errors.Join(j.closeFile(), j.lock.Close()); err != nil {
		j.log.Warn("close kept attributes", zap.Error(err))
	}
}

// appendFrame encodes the present entry of key, or that there is none.
func (x *Index) appendFrame(out []byte, key string) []byte {
	x.mu.Lock()
	e, ok := x.entries.Peek(key)
	var copied entry
	if ok {
		copied = *e // seen may still change; headers do not
	}
	x.mu.Unlock()
	if !ok {
		return frame.Append(out, frameForget, []byte(key))
	}
	start := len(out)
	return frame.End(encodeEntry(frame.Begin(out), key, &copied), start, frameEntry)
}
