package control

import (
	"context"

	"github.com/s3levelfs/s3levelfs/internal/telemetry"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// Hand is a spool in somebody's hands: of a running mount, or opened for one command.
type Hand struct{ Uploader *uploader.Uploader }

// SpoolList implements telemetry.Spooler.
func (h Hand) SpoolList(context.Context) (telemetry.SpoolList, error) {
	return telemetry.SpoolList{Items: ItemsOf(h.Uploader.Pending()), Kept: KeptOf(h.Uploader.Kept())}, nil
}

// SpoolRetry implements telemetry.Spooler.
func (h Hand) SpoolRetry(_ context.Context, keys []string) (int, error) {
	return h.Uploader.RetryKeys(keys...), nil
}

// SpoolFile implements telemetry.Spooler.
func (h Hand) SpoolFile(_ context.Context, generation string) (telemetry.SpoolFile, error) {
	e, err := h.Uploader.Export(generation)
	if err != nil {
		return telemetry.SpoolFile{}, err
	}
	defer e.Close()
	ranges := func(list []uploader.Extent) []telemetry.SpoolRange {
		out := make([]telemetry.SpoolRange, 0, len(list))
		for _, x := range list {
			out = append(out, telemetry.SpoolRange{Offset: x.Off, Length: x.Len})
		}
		return out
	}
	return telemetry.SpoolFile{Generation: e.Gen, Key: e.Key, Size: e.Size, Ranges: ranges(e.Ours), Data: ranges(e.Data)}, nil
}

// SpoolRead implements telemetry.Spooler.
func (h Hand) SpoolRead(_ context.Context, generation string, p []byte, off int64) error {
	e, err := h.Uploader.Export(generation)
	if err != nil {
		return err
	}
	defer e.Close()
	_, err = e.ReadAt(p, off)
	return err
}

// SpoolDiscard implements telemetry.Spooler.
func (h Hand) SpoolDiscard(_ context.Context, generation string) error {
	return h.Uploader.Discard(generation)
}

// ItemsOf translates what waits for scripts.
func ItemsOf(items []uploader.Item) []telemetry.Item {
	out := make([]telemetry.Item, 0, len(items))
	for _, i := range items {
		out = append(out, telemetry.Item{
			Key: i.Key, To: i.To, What: i.What, State: i.State.String(), Generation: i.Gen, Size: i.Size,
			Since: i.Since, Attempts: i.Attempts, NextTry: i.NextTry, Error: i.Err,
		})
	}
	return out
}

// KeptOf translates what is kept for its user to decide on, for scripts.
func KeptOf(kept []uploader.Quarantined) []telemetry.Kept {
	out := make([]telemetry.Kept, 0, len(kept))
	for _, q := range kept {
		reason := "quarantined"
		if q.BaseLost {
			reason = ReasonBaseLost
		}
		out = append(out, telemetry.Kept{Key: q.Key, Generation: q.Gen, Size: q.Size, Reason: reason, Why: q.Why, Since: q.Since})
	}
	return out
}

// ReasonBaseLost is the Reason of a telemetry.Kept that is ours in parts only.
const ReasonBaseLost = "base-lost"
