package uploader

import (
	"maps"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// An upload in parts has the headers that it was begun with. What a file of which parts left while it was being written
// was given afterwards, its time above all, is made by a self-copy that follows its commit.

// mendHeaders makes the record of that self-copy, or lets the generation above take the change over, and gives the headers that are wanted;
// nil if there is nothing to mend. Called with mu held.
func (u *Uploader) mendHeaders(o *op, at Base) ([]*spool.Record, *store.Headers) {
	if at.Headers == nil || !u.mendable(o) || o.is(flagAbandoned) {
		return nil, nil
	}
	w := o.gen.id
	if o.gen.wrote(at) {
		w = at.wrote() // perhaps its alias
	}
	wanted := withW(o.gen.headers, w)
	if wanted.ContentType == "" {
		wanted.ContentType = at.Headers.ContentType // it was guessed from the first bytes
	}
	if sameHeaders(*at.Headers, wanted) {
		return nil, nil
	}
	next := u.behind(o)
	switch {
	case next == nil:
		a := &op{id: u.newID(), kind: opAttr, key: o.key, headers: &wanted}
		return []*spool.Record{a.record(spool.TypeSetAttr)}, &wanted
	case next.kind == opPut && !next.is(flagSealed|flagAbandoned):
		r := next.record(spool.TypeAmend)
		r.Flags |= flagAttr
		return []*spool.Record{r}, &wanted
	}
	return nil, nil
}

// mendable: the headers of an operation's generation can be made after its commit, so that they may change while it is
// being sent: it goes in parts, and may be read. Called with mu held.
func (u *Uploader) mendable(o *op) bool {
	l := u.levelOf(o.key)
	return (l == nil || l.CanGet) && o.gen.content != nil && o.gen.content.Size() > min(u.cfg.PartSize, u.limits.MaxPut)
}

// sameHeaders compares what a program can set: a store adds encryption and storage class of its own.
func sameHeaders(a, b store.Headers) bool {
	return a.ContentType == b.ContentType && a.ContentEncoding == b.ContentEncoding &&
		a.ContentDisposition == b.ContentDisposition && a.ContentLanguage == b.ContentLanguage &&
		a.CacheControl == b.CacheControl && a.Expires == b.Expires && a.WebsiteRedirect == b.WebsiteRedirect && a.Tags == b.Tags &&
		maps.Equal(a.Metadata, b.Metadata)
}

// unmendable makes the record that forgets an upload whose headers are about to change and that no self-copy can mend:
// that needs the right to read. Called with mu held.
func (u *Uploader) unmendable(o *op) []*spool.Record {
	if o.upload == nil || u.mendable(o) {
		return nil
	}
	u.abortLost(lostUpload{o.key, o.upload.id})
	return []*spool.Record{o.uploadRecord(&multipart{})}
}
