package store

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/s3levelfs/s3levelfs/store/op"
)

const (
	maxPage = 1000 // entries of a page. Source: S3 API reference, ListObjectsV2
	maxSkip = 1000 // keys below one common prefix that are passed over before the listing is begun anew behind it
)

// List implements [Reader].
func (a *adapter) List(ctx context.Context, prefix string, o ListOptions) iter.Seq2[Page, error] {
	if o.PageSize <= 0 || o.PageSize > maxPage {
		o.PageSize = maxPage
	}
	return func(yield func(Page, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(Page{}, &Error{Op: op.List, Key: prefix, Kind: ErrTransient, Err: err})
			return
		}
		if p, ok := a.p.(Pager); ok {
			for page, err := range p.Pages(ctx, prefix, o) {
				if !yield(page, failure(op.List, prefix, err, false)) || err != nil {
					return
				}
			}
			return
		}
		l := &lister{prefix: prefix, o: o, yield: yield, last: o.StartAfter}
		for l.run(a.p.List(ctx, prefix, l.after(a.limits.MaxKey))) {
			continue
		}
	}
}

// lister makes pages of a plain listing.
type lister struct {
	prefix string
	o      ListOptions
	yield  func(Page, error) bool

	page    Page
	last    string // key that was seen last
	within  string // common prefix that it is in
	skipped int    // keys that were passed over since
}

// after is where the listing begins, anew perhaps: behind all keys that begin with the common prefix, which none is longer than most.
func (l *lister) after(most int) string {
	if l.within == "" {
		return l.last
	}
	return l.within + strings.Repeat("\xff", most)
}

// run takes what is listed. again: the listing is to go on behind the common prefix.
func (l *lister) run(objects iter.Seq2[Object, error]) (again bool) {
	l.skipped = 0
	for o, err := range objects {
		if err == nil && (o.Key <= l.last && l.last != "" || !strings.HasPrefix(o.Key, l.prefix)) {
			err = fmt.Errorf("the provider has listed %q behind %q, which is out of order: %w", o.Key, l.last, ErrInvalid)
		}
		if err != nil {
			l.yield(Page{}, failure(op.List, l.prefix, err, false))
			return false
		}
		l.last = o.Key
		if l.within != "" && strings.HasPrefix(o.Key, l.within) {
			if l.skipped++; l.skipped == maxSkip {
				return true
			}
			continue
		}
		if !l.take(o) {
			return false
		}
	}
	l.yield(l.page, nil)
	return false
}

// take adds an object, or the common prefix that it is in; false when nobody wants more.
func (l *lister) take(o Object) bool {
	if len(l.page.Objects)+len(l.page.Prefixes) == l.o.PageSize {
		l.page.More = true
		if !l.yield(l.page, nil) {
			return false
		}
		l.page = Page{}
	}
	l.within = ""
	if head, _, ok := strings.Cut(o.Key[len(l.prefix):], l.o.Delimiter); ok && l.o.Delimiter != "" {
		l.within = l.prefix + head + l.o.Delimiter
		l.page.Prefixes = append(l.page.Prefixes, l.within)
		return true
	}
	o.Headers = nil
	l.page.Objects = append(l.page.Objects, o)
	return true
}
