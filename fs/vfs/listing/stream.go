package listing

import (
	"context"
	"slices"
)

// Stream gives the entries of a directory as they are known: the first ones after one page of the store's answer. Each
// entry that is there all the while comes once, whatever changes beside it. It is for one goroutine at a time.
type Stream struct {
	x     *Index
	dir   string
	fresh Fresh

	chunks []chunk // of what is known whole, with the changes over it
	over   []edit
	scan   *scan // nil: known whole
	part   *part // of scan
	next   int   // chunk
	last   string
	ended  bool
}

// Open begins to list a directory; Close must follow. Its errors are those of the store's first answer.
func (x *Index) Open(ctx context.Context, dir string) (*Stream, error) {
	st := &Stream{x: x, dir: dir}
	fresh, err := x.ask(ctx, dir, x.knownDir,
		func(c *content) { st.chunks, st.over = c.base.chunks, slices.Clone(c.over) },
		func() (*content, error) { return x.fetchDir(ctx, dir, st) })
	if err != nil {
		return nil, err
	}
	if st.scan == nil {
		st.fresh = fresh
	}
	return st, nil
}

// fetchDir gives the content of a directory out of a flat listing, or has st follow a listing of it, whose first page has come.
func (x *Index) fetchDir(ctx context.Context, dir string, st *Stream) (*content, error) {
	c, err := x.fetchWalk(ctx, dir)
	if c != nil || err != nil {
		return c, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	s, err := x.join(dir)
	if err != nil {
		return nil, err
	}
	for s.pages == 0 && !s.finished && err == nil {
		err = s.await(ctx)
	}
	if err == nil {
		err = s.err
	}
	if err != nil {
		s.leave()
		return nil, err
	}
	st.scan, st.part = s, s.first
	st.fresh = Fresh{Until: s.c.until(x.cfg.TTL)}
	return nil, nil //nolint:nilnil // documented: st follows
}

// await waits for more. Called with mu held, which it gives up meanwhile.
func (s *scan) await(ctx context.Context) error {
	more := s.more
	s.x.mu.Unlock()
	defer s.x.mu.Lock()
	select {
	case <-more:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Fresh tells how long what the stream gives holds.
func (st *Stream) Fresh() Fresh { return st.fresh }

// Close ends the stream. A listing that nobody follows any more ends with it.
func (st *Stream) Close() {
	if st.scan != nil {
		st.x.mu.Lock()
		defer st.x.mu.Unlock()
		st.scan.leave()
		st.scan = nil
	}
}

// batchChunks is how many chunks are given at once: about a page.
const batchChunks = 16

// Next gives some entries more, ordered by the bytes of their keys (a directory's ends in a slash), none at the end. After an
// error the stream can not go on.
func (st *Stream) Next(ctx context.Context) ([]Entry, error) {
	for !st.ended {
		items, err := st.batch(ctx)
		if err != nil {
			return nil, err
		}
		if len(items) == 0 {
			continue
		}
		out := make([]Entry, len(items))
		for i := range items {
			out[i] = items[i].entry()
		}
		return out, nil
	}
	return nil, nil
}

// batch gives the items of some chunks, with the changes among them.
func (st *Stream) batch(ctx context.Context) ([]item, error) {
	if st.scan == nil {
		chunks := st.chunks[st.next:min(len(st.chunks), st.next+batchChunks)]
		st.next += len(chunks)
		st.ended = st.next == len(st.chunks)
		return st.merge(chunks, st.over), nil
	}
	s := st.scan
	s.x.mu.Lock()
	for st.next == len(st.part.chunks) && !s.finished && !st.part.done {
		if err := s.await(ctx); err != nil {
			s.x.mu.Unlock()
			return nil, err
		}
	}
	if s.err != nil {
		s.x.mu.Unlock()
		return nil, s.err
	}
	chunks := st.part.chunks[st.next:min(len(st.part.chunks), st.next+batchChunks)]
	st.next += len(chunks)
	switch {
	case st.next < len(st.part.chunks) || !st.part.done:
	case st.part.next != nil:
		st.part, st.next = st.part.next, 0
	default:
		st.ended = s.finished
	}
	if s.dropped {
		chunks = nil
	}
	over := s.c.over
	if len(chunks) > 0 || st.ended {
		over = slices.Clone(over)
	}
	strays := s.strays
	s.x.mu.Unlock()
	if len(chunks) == 0 && !st.ended {
		return nil, nil
	}
	items := st.merge(chunks, over)
	if st.ended {
		items = st.astray(items, strays, over)
	}
	return items, nil
}

// merge gives the items of chunks, and of the changes up to the last of them, or to the end.
func (st *Stream) merge(chunks []chunk, over []edit) []item {
	items := make([]item, 0, len(chunks)*chunkItems)
	for i := range chunks {
		items = chunks[i].unpack(items, st.dir)
	}
	i, found := seek(over, st.last)
	if found {
		i++
	}
	n := len(over)
	if !st.ended && len(items) > 0 {
		st.last = items[len(items)-1].key
		if n, found = seek(over, st.last); found {
			n++
		}
	}
	if over = over[i:n]; len(over) == 0 {
		return items
	}
	return slices.Collect(overlay(slices.Values(items), over))
}

// astray adds what came out of order.
func (st *Stream) astray(items, strays []item, over []edit) []item {
	for _, it := range strays {
		if _, changed := seek(over, it.key); !changed { // else it has come as a change, or is gone
			items = append(items, it)
		}
	}
	return items
}
