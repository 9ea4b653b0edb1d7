package trigger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/internal/command"
)

// Limits. MaxQueued events are of some hundred bytes each.
const (
	Parallel  = 4                // commands at a time
	MaxQueued = 1000             // events that wait for their turn
	Grace     = 10 * time.Second // of Close, for what runs and waits
)

// Call is a command with what it gets.
type Call struct {
	Args  []string // the program first
	Stdin []byte   // the message
	Path  string   // in the mount, "" = none
}

// Config says which commands run, and on whose events.
type Config struct {
	OnUpload []string // program and arguments for what is created; empty = none
	OnDelete []string // the same for what is removed
	Bucket   Bucket
	Timeout  time.Duration // of one command
	// Run runs a command until its end or that of ctx, after which it ends soon, with all that it has begun.
	Run func(ctx context.Context, c Call) error
	Log *zap.Logger
}

// Stats is what has become of the events that a command waits for.
type Stats struct {
	Succeeded int64  `json:"succeeded"`
	Failed    int64  `json:"failed"` // its exit code was not 0, it took too long, or it could not be started
	Lost      int64  `json:"lost"`   // never run: too many waited, or the end came before
	Waiting   int    `json:"waiting"`
	Running   int    `json:"running"`
	LastError string `json:"last_error,omitempty"`
}

// job is a command that waits for its turn.
type job struct {
	call Call
	name Name
	key  string
}

// Runner runs commands. Its methods are safe for concurrent use, none blocks but Close; a nil one does nothing.
type Runner struct {
	cfg  Config
	log  *zap.Logger
	wg   sync.WaitGroup
	ctx  context.Context //nolint:containedctx // of the commands, ended by Close
	end  context.CancelFunc
	once sync.Once

	mu    sync.Mutex
	more  *sync.Cond // jobs has grown, or over is set
	jobs  []job
	over  bool // nothing new is taken
	stats Stats
	full  bool   // since the last job that found room, and it is logged
	last  uint64 // sequencer
}

// New begins to wait for events; Close ends it.
func New(cfg Config) *Runner {
	r := &Runner{cfg: cfg, log: cfg.Log}
	r.more = sync.NewCond(&r.mu)
	r.ctx, r.end = context.WithCancel(context.Background())
	for range Parallel {
		r.wg.Go(r.work)
	}
	return r
}

// Tell takes an event that has happened.
func (r *Runner) Tell(e Event) {
	if r == nil {
		return
	}
	args, rule := r.cfg.OnUpload, "s3levelfs-on-upload"
	if e.Name.Deleted() {
		args, rule = r.cfg.OnDelete, "s3levelfs-on-delete"
	}
	if len(args) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over || len(r.jobs) >= MaxQueued {
		r.stats.Lost++
		if !r.full {
			r.full = true
			r.log.Warn("trigger: events are lost: commands take longer than events come", zap.Int("waiting", len(r.jobs)))
		}
		return
	}
	text, err := json.Marshal(messageOf(e, r.cfg.Bucket, rule, r.sequencer(e.At)))
	if err != nil { // texts and numbers: there is nothing that it could fail at
		r.stats.Failed++
		r.stats.LastError = err.Error()
		return
	}
	r.full = false
	r.jobs = append(r.jobs, job{Call{args, text, e.Path}, e.Name, e.Key})
	r.more.Signal()
}

// sequencer grows with each event: of two events of one key the one with the larger text is the later one. Source: Amazon S3 User Guide,
// "Event message structure", sequencer: hexadecimal texts of one length compare as they are. Called with mu held.
func (r *Runner) sequencer(at time.Time) string {
	r.last = max(r.last+1, uint64(at.UnixNano()))
	return fmt.Sprintf("%016X", r.last)
}

// Stats tells what has become of the events.
func (r *Runner) Stats() Stats {
	if r == nil {
		return Stats{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stats
	s.Waiting = len(r.jobs)
	return s
}

// Close lets what runs and waits end within Grace; then it ends what runs, and what waits is lost. The log has how much.
func (r *Runner) Close() {
	if r == nil {
		return
	}
	r.once.Do(r.close)
}

func (r *Runner) close() {
	bound := time.AfterFunc(Grace, r.end)
	r.mu.Lock()
	r.over = true
	r.more.Broadcast()
	r.mu.Unlock()
	r.wg.Wait()
	bound.Stop()
	r.end()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.Lost += int64(len(r.jobs))
	r.jobs = nil
	if s := r.stats; s.Lost > 0 {
		r.log.Warn("trigger: there are events that no command has run for", zap.Int64("lost", s.Lost), zap.Int64("succeeded", s.Succeeded), zap.Int64("failed", s.Failed))
	}
}

// work runs one command after the other.
func (r *Runner) work() {
	for {
		j, ok := r.next()
		if !ok {
			return
		}
		ctx, cancel := context.WithTimeoutCause(r.ctx, r.cfg.Timeout, errTime)
		err := r.cfg.Run(ctx, j.call)
		if err != nil && context.Cause(ctx) != nil {
			err = fmt.Errorf("%w: %w", reason(context.Cause(ctx), r.cfg.Timeout), err)
		}
		cancel()
		r.ended(j, err)
	}
}

var errTime = errors.New("time is over")

// reason says why a command was ended.
func reason(cause error, limit time.Duration) error {
	if errors.Is(cause, errTime) {
		return fmt.Errorf("ended after %s (--trigger-timeout)", limit)
	}
	return errors.New("ended with the mount")
}

// next waits for a job; false = the end has come.
func (r *Runner) next() (job, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.jobs) == 0 && !r.over {
		r.more.Wait()
	}
	if len(r.jobs) == 0 || r.ctx.Err() != nil {
		return job{}, false
	}
	j := r.jobs[0]
	r.jobs = r.jobs[1:]
	r.stats.Running++
	return j, true
}

// ended counts what has become of a job, and logs what it failed at.
func (r *Runner) ended(j job, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.Running--
	if err == nil {
		r.stats.Succeeded++
		return
	}
	r.stats.Failed++
	r.stats.LastError = err.Error()
	fields := []zap.Field{zap.String("event", string(j.name)), zap.String("key", j.key), zap.String("program", j.call.Args[0]), zap.Error(err)}
	if f, ok := errors.AsType[*command.Failure](err); ok {
		fields = append(fields, zap.Int("exit_code", f.Code))
	}
	r.log.Warn("trigger: command failed", fields...)
}
