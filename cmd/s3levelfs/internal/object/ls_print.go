package object

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
)

// lsRequest is what ls is asked for. The zero value of a field asks for nothing.
type lsRequest struct {
	path, prefix string // of the level, in the mount and in the bucket
	first        string // what the keys begin with in the level
	json         bool

	match     func(name string) bool
	delimiter string
	after     string // keys behind this one, of the level
	pageSize  int    // keys a request
	all       bool   // all pages, not one
	paged     bool   // as a document with a token and subpaths
}

// behind is greater than all that follows a common prefix: the last code point there is.
const behind = "\U0010ffff"

// printListing prints each page as it comes: the first line after one request, and in the same memory however many keys there are.
func printListing(ctx context.Context, from store.Reader, policy *levels.Policy, what lsRequest, to io.Writer) error {
	out := &listingWriter{w: bufio.NewWriter(to), json: what.json, paged: what.paged}
	o := store.ListOptions{Delimiter: what.delimiter, PageSize: what.pageSize}
	if what.after != "" {
		o.StartAfter = what.prefix + what.after
	}
	err := func() error {
		for page, err := range from.List(ctx, what.prefix+what.first, o) {
			if err != nil {
				return err
			}
			if err := out.page(policy, what, page); err != nil {
				return err
			}
			if page.More && what.paged && !what.all {
				return out.end(tokenOf(what, page))
			}
		}
		return out.end("")
	}()
	if err != nil {
		return err
	}
	if out.n == 0 && strings.HasPrefix(what.first, "/") {
		_, _ = fmt.Fprintf(os.Stderr, "s3levelfs: nothing begins with %s: keys in a level begin without a slash\n", cmdline.Printable(what.first))
	}
	return nil
}

// tokenOf says where the page behind one begins.
func tokenOf(what lsRequest, page store.Page) string {
	last := ""
	if n := len(page.Objects); n > 0 {
		last = page.Objects[n-1].Key
	}
	if n := len(page.Prefixes); n > 0 {
		last = max(last, page.Prefixes[n-1]+behind)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(strings.TrimPrefix(last, what.prefix)))
}

// listingWriter prints objects one by one, as lines or as one JSON document. One that ends early, after an error, is no JSON.
type listingWriter struct {
	w        *bufio.Writer
	json     bool
	paged    bool
	n        int
	subpaths []string // of the document
}

// page prints what of a page is the level's and wanted.
func (l *listingWriter) page(policy *levels.Policy, what lsRequest, page store.Page) error {
	a := &area{policy: policy, path: what.path, prefix: what.prefix}
	wanted := func(key string) bool { return a.holds(key) && (what.match == nil || what.match(a.name(key))) }
	for i := range page.Objects {
		if o := &page.Objects[i]; wanted(o.Key) {
			if err := l.add(listed{Key: a.name(o.Key), ETag: o.ETag, LastModified: o.LastModified, Size: o.Size}); err != nil {
				return err
			}
		}
	}
	for _, p := range page.Prefixes {
		if !wanted(p) {
			continue
		}
		if l.subpaths = append(l.subpaths, a.name(p)); l.json {
			continue
		}
		if _, err := fmt.Fprintf(l.w, "%12s  %-20s  %s\n", "subpath", "", cmdline.Printable(a.name(p))); err != nil {
			return err
		}
	}
	return l.w.Flush()
}

func (l *listingWriter) add(o listed) error {
	l.n++
	if !l.json {
		_, err := fmt.Fprintf(l.w, "%12d  %s  %s\n", o.Size, o.LastModified.UTC().Format(time.RFC3339), cmdline.Printable(o.Key))
		return err
	}
	separator := ",\n  "
	if l.n == 1 {
		separator = l.begin() + "\n  "
	}
	text, err := jsonText(o)
	if err != nil {
		return err
	}
	_, err = l.w.WriteString(separator + text)
	return err
}

// begin is what stands in front of the first object.
func (l *listingWriter) begin() string {
	if l.paged {
		return `{"items": [`
	}
	return "["
}

func jsonText(v any) (string, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("  ", "  ")
	err := encoder.Encode(v)
	return strings.TrimSuffix(text.String(), "\n"), err
}

// end closes the document. token is that of the next page; "" = there is none.
func (l *listingWriter) end(token string) error {
	if !l.json {
		if token != "" {
			_, _ = fmt.Fprintf(os.Stderr, "s3levelfs: there is more: go on with --next-token %s\n", token)
		}
		return l.w.Flush()
	}
	text := "\n]"
	if l.n == 0 {
		text = l.begin() + "]"
	}
	if l.paged {
		rest := struct {
			Subpaths []string `json:"excludedSubpaths,omitempty"`
			Token    string   `json:"nextToken,omitempty"`
		}{l.subpaths, token}
		more, err := jsonText(rest)
		if err != nil {
			return err
		}
		if more = strings.TrimPrefix(more, "{"); more == "}" {
			text += more
		} else {
			text += "," + more
		}
	}
	if _, err := l.w.WriteString(text + "\n"); err != nil {
		return err
	}
	return l.w.Flush()
}
