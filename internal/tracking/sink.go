package tracking

import "context"

// Sink takes events to where they are wanted.
type Sink interface {
	// Send hands over at most [MaxBatch] events; it ends soon after ctx, if it can. It is called from one goroutine. It keeps no events.
	Send(ctx context.Context, batch []Event) Outcome
	// Close ends it, after the last Send.
	Close() error
}

// Outcome is what a sink has made of a batch: the events that are named in no field were taken.
type Outcome struct {
	Again   []Event // not taken now, worth sending again
	Refused int     // how many were not taken and never will be
	Err     error   // why, one line without secrets; nil = all were taken
}

// taken is the outcome of a sink that takes a batch as a whole, or refuses it for good.
func taken(batch []Event, err error) Outcome {
	if err != nil {
		return Outcome{Refused: len(batch), Err: err}
	}
	return Outcome{}
}
