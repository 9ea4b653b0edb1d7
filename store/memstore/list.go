package memstore

import (
	"context"
	"iter"
	"slices"
	"sort"
	"strings"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/op"
)

// maxPage is the most entries, objects and common prefixes together, of a page.
// Source: S3 API reference, ListObjectsV2.
const maxPage = 1000

// List implements store.Reader. Each page sees the bucket as it is when the
// page is asked for.
func (s *Store) List(ctx context.Context, prefix string, o store.ListOptions) iter.Seq2[store.Page, error] {
	return func(yield func(store.Page, error) bool) {
		from := cursor{after: o.StartAfter}
		for {
			var page store.Page
			r := Request{Op: op.List, Key: prefix, StartAfter: o.StartAfter, Delimiter: o.Delimiter}
			err := s.do(ctx, r, func(*Request) *store.Error {
				page, from = s.page(prefix, o, from)
				return nil
			})
			if !yield(page, err) || err != nil || !page.More {
				return
			}
		}
	}
}

// cursor is where a page begins: behind the key after, or, when within is set,
// behind all keys that begin with it.
type cursor struct{ after, within string }

// page collects one page and tells where the next begins. mu is held.
func (s *Store) page(prefix string, o store.ListOptions, from cursor) (store.Page, cursor) {
	size := maxPage
	if o.PageSize > 0 {
		size = min(o.PageSize, maxPage)
	}
	i := s.seek(prefix, from)
	var p store.Page
	for i < len(s.keys) && strings.HasPrefix(s.keys[i], prefix) {
		if len(p.Objects)+len(p.Prefixes) == size {
			p.More = true
			break
		}
		key := s.keys[i]
		if common, ok := commonPrefix(key, prefix, o.Delimiter); ok {
			p.Prefixes = append(p.Prefixes, common)
			from = cursor{within: common}
			i = s.behind(common, i)
			continue
		}
		p.Objects = append(p.Objects, s.objects[key].listed(key))
		from = cursor{after: key}
		i++
	}
	return p, from
}

// seek finds the index of the first key of a page.
func (s *Store) seek(prefix string, from cursor) int {
	i, _ := slices.BinarySearch(s.keys, prefix)
	if from.within != "" {
		return s.behind(from.within, i)
	}
	if from.after == "" {
		return i
	}
	j, found := slices.BinarySearch(s.keys, from.after)
	if found {
		j++
	}
	return max(i, j)
}

// behind finds the first index from i on whose key does not begin with prefix
// and comes after those that do.
func (s *Store) behind(prefix string, i int) int {
	return i + sort.Search(len(s.keys)-i, func(n int) bool {
		k := s.keys[i+n]
		return k > prefix && !strings.HasPrefix(k, prefix)
	})
}

func commonPrefix(key, prefix, delimiter string) (string, bool) {
	if delimiter == "" {
		return "", false
	}
	n := strings.Index(key[len(prefix):], delimiter)
	if n < 0 {
		return "", false
	}
	return key[:len(prefix)+n+len(delimiter)], true
}
