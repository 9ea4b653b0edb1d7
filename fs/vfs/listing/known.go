package listing

import "time"

// Names gives the files with bytes of a directory whose complete listing is known and may be believed, sorted by raw name, without
// asking the store; nil where it is not known, or has more than most files.
func (x *Index) Names(dir string, most int) []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	d := x.cache.peek(dir)
	if d == nil || d.content == nil || d.content.n > most || !time.Now().Before(d.content.until(x.cfg.TTL)) {
		return nil
	}
	var names []string
	for it := range d.content.items() {
		if e := it.entry(); !e.Dir && e.Object.Size > 0 {
			names = append(names, e.Name)
		}
	}
	return names
}

// Known gives what is known of one name, and may be believed, without asking the store; nil is no proof of absence.
func (x *Index) Known(dir, name string) []Entry {
	x.mu.Lock()
	defer x.mu.Unlock()
	d := x.cache.peek(dir)
	if d == nil {
		return nil
	}
	if c := d.known(name, time.Now(), x.cfg.TTL); c != nil {
		return c.entry(name)
	}
	return nil
}
