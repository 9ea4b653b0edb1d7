package listing

import (
	"encoding/binary"
	"encoding/hex"
	"iter"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
)

// item is one line of a directory: a file, or a directory. They are ordered by the bytes of their keys, as the store's
// listings are: "a", "a-1", "a/".
type item struct {
	key string        // behind the directory's prefix; that of a directory ends in a slash
	obj *store.Object // the file, or the directory's marker; nil: marker unknown or none
}

// table is a sorted list of items in little memory, about 25 bytes and what a name has that the one before it has not. It
// never changes, so that readers need no lock. A million entries are nothing rare, and a collector that had to follow pointers
// of each would cost more than the listing.
type table struct {
	chunks []chunk
	n      int
}

// chunk is up to chunkItems items, each encoded as
//
//	flags | bytes shared with the key before uvarint | length of the rest uvarint | rest
//	and with an object: [ETag] | size uvarint | seconds since the one before varint | [nanoseconds uvarint] | [class]
//
// where texts are length and bytes, and the ETag of 32 hex digits in quotes, which nearly all have, is 16 bytes.
type chunk struct {
	first string // the first key
	data  []byte
	n     int
}

const (
	chunkItems = 64

	// chunkCost is what a chunk takes besides its data, in bytes.
	chunkCost = 64
)

// Flags of an encoded item.
const (
	hasObject = 1 << iota
	etagHex   // 16 bytes: 32 lower-case hex digits in quotes
	etagParts // the same, with a dash and the number of parts (uvarint)
	etagText  // anything else
	etagSame  // as the object before
	hasTime
	hasNanos
	hasClass
)

const md5Hex = 32

// packer encodes items of one chunk, in order.
type packer struct {
	data []byte
	n    int
	key  string
	last packed
}

// packed is what the fields of the next object are told by.
type packed struct {
	etag    string
	seconds int64
}

func (p *packer) add(it item) {
	shared := 0
	for shared < min(len(p.key), len(it.key)) && p.key[shared] == it.key[shared] {
		shared++
	}
	at := len(p.data)
	p.data = append(p.data, 0)
	p.data = binary.AppendUvarint(p.data, uint64(shared))
	p.data = appendText(p.data, it.key[shared:])
	if it.obj != nil {
		p.data[at] = p.object(it.obj) | hasObject
	}
	p.key = it.key
	p.n++
}

func (p *packer) object(o *store.Object) (flags byte) {
	switch sum, parts, kind := parseETag(o.ETag); {
	case o.ETag == p.last.etag:
		flags = etagSame
	case kind == etagHex:
		flags, p.data = kind, append(p.data, sum[:]...)
	case kind == etagParts:
		flags, p.data = kind, binary.AppendUvarint(append(p.data, sum[:]...), parts)
	default:
		flags, p.data = etagText, appendText(p.data, o.ETag)
	}
	p.last.etag = o.ETag
	p.data = binary.AppendUvarint(p.data, uint64(max(o.Size, 0)))
	if !o.LastModified.IsZero() {
		flags |= hasTime
		p.data = binary.AppendVarint(p.data, o.LastModified.Unix()-p.last.seconds)
		p.last.seconds = o.LastModified.Unix()
		if ns := o.LastModified.Nanosecond(); ns != 0 {
			flags |= hasNanos
			p.data = binary.AppendUvarint(p.data, uint64(ns))
		}
	}
	if o.StorageClass != "" {
		flags |= hasClass
		p.data = appendText(p.data, o.StorageClass)
	}
	return flags
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// parseETag recognises `"<32 hex digits>"` and `"<32 hex digits>-<parts>"`, where formatting them gives the same text again.
func parseETag(etag string) (sum [md5Hex / 2]byte, parts uint64, kind byte) {
	inner, quoted := strings.CutPrefix(etag, `"`)
	inner, ended := strings.CutSuffix(inner, `"`)
	if !quoted || !ended || len(inner) < md5Hex {
		return sum, 0, etagText
	}
	if _, err := hex.Decode(sum[:], []byte(inner[:md5Hex])); err != nil {
		return sum, 0, etagText
	}
	kind = etagHex
	if rest := inner[md5Hex:]; rest != "" {
		kind = etagParts
		for _, c := range []byte(strings.TrimPrefix(rest, "-")) {
			if c < '0' || c > '9' || parts > 1e6 {
				return sum, 0, etagText
			}
			parts = 10*parts + uint64(c-'0')
		}
	}
	if formatETag(sum[:], parts, kind) != etag { // upper-case digits, leading zeros
		return sum, 0, etagText
	}
	return sum, parts, kind
}

func formatETag(sum []byte, parts uint64, kind byte) string {
	var buf [md5Hex + 32]byte
	b := append(buf[:0], '"')
	b = hex.AppendEncode(b, sum)
	if kind == etagParts {
		b = append(b, '-')
		b = strconv.AppendUint(b, parts, 10)
	}
	return string(append(b, '"'))
}

// unpacker decodes a chunk. What it was packed by is trusted.
type unpacker struct {
	data []byte
	key  []byte // of the last item
	last fields
}

// fields are those of an object as they were packed: to walk over the items in front of the one that is looked for makes nothing.
type fields struct {
	sum     []byte // 16 bytes of an ETag; or its text
	parts   uint64
	kind    byte // of the ETag
	etag    string
	made    bool // etag is formatted
	size    int64
	seconds int64
	nanos   uint64
	class   []byte
}

func (u *unpacker) number() uint64 {
	v, n := binary.Uvarint(u.data)
	u.data = u.data[n:]
	return v
}

func (u *unpacker) bytes(n uint64) []byte {
	b := u.data[:n]
	u.data = u.data[n:]
	return b
}

// next takes the key of an item into u.key; take or object must follow. ok is false at the end.
func (u *unpacker) next() (flags byte, ok bool) {
	if len(u.data) == 0 {
		return 0, false
	}
	flags, u.data = u.data[0], u.data[1:]
	shared := u.number()
	u.key = append(u.key[:shared], u.bytes(u.number())...)
	return flags, true
}

// take reads the fields of an item's object into u.last.
func (u *unpacker) take(flags byte) {
	if flags&hasObject == 0 {
		return
	}
	f := &u.last
	switch kind := flags & (etagHex | etagParts | etagText); kind {
	case etagHex, etagParts:
		f.sum, f.parts, f.kind, f.made = u.bytes(md5Hex/2), 0, kind, false
		if kind == etagParts {
			f.parts = u.number()
		}
	case etagText:
		f.sum, f.kind, f.made = u.bytes(u.number()), kind, false
	}
	f.size, f.nanos, f.class = int64(u.number()), 0, nil
	if flags&hasTime != 0 {
		delta, n := binary.Varint(u.data)
		u.data = u.data[n:]
		f.seconds += delta
		if flags&hasNanos != 0 {
			f.nanos = u.number()
		}
	}
	if flags&hasClass != 0 {
		f.class = u.bytes(u.number())
	}
}

// object gives the object of the item whose fields were taken, nil if it has none.
func (u *unpacker) object(flags byte, key string) *store.Object {
	if flags&hasObject == 0 {
		return nil
	}
	f := &u.last
	if !f.made {
		f.made = true
		switch f.kind {
		case etagHex, etagParts:
			f.etag = formatETag(f.sum, f.parts, f.kind)
		default:
			f.etag = string(f.sum)
		}
	}
	o := &store.Object{Key: key, ETag: f.etag, Size: f.size}
	if flags&hasTime != 0 {
		o.LastModified = time.Unix(f.seconds, int64(f.nanos)).UTC()
	}
	if f.class != nil {
		o.StorageClass = string(f.class)
	}
	return o
}

// pack makes chunks of sorted items.
func pack(items []item) []chunk {
	chunks := make([]chunk, 0, (len(items)+chunkItems-1)/chunkItems)
	var p packer
	for part := range slices.Chunk(items, chunkItems) {
		p = packer{data: p.data[:0]}
		for _, it := range part {
			p.add(it)
		}
		chunks = append(chunks, chunk{first: strings.Clone(part[0].key), data: slices.Clip(slices.Clone(p.data)), n: p.n})
	}
	return chunks
}

func newTable(chunks []chunk) *table {
	t := &table{chunks: chunks}
	for i := range chunks {
		t.n += chunks[i].n
	}
	return t
}

// unpack appends the items of a chunk; prefix goes in front of their objects' keys.
func (c *chunk) unpack(out []item, prefix string) []item {
	u := unpacker{data: c.data}
	for flags, ok := u.next(); ok; flags, ok = u.next() {
		u.take(flags)
		whole := prefix + string(u.key)
		out = append(out, item{whole[len(prefix):], u.object(flags, whole)})
	}
	return out
}

// find gives the item of a key.
func (t *table) find(key, prefix string) (it item, ok bool) {
	i := sort.Search(len(t.chunks), func(i int) bool { return t.chunks[i].first > key }) - 1
	if i < 0 {
		return item{}, false
	}
	u := unpacker{data: t.chunks[i].data}
	for flags, more := u.next(); more && string(u.key) <= key; flags, more = u.next() {
		if u.take(flags); string(u.key) == key {
			return item{key, u.object(flags, prefix+key)}, true
		}
	}
	return item{}, false
}

// behind gives the items after a key, "" for all, in order.
func (t *table) behind(key, prefix string) iter.Seq[item] {
	return func(yield func(item) bool) {
		var items []item
		first := max(0, sort.Search(len(t.chunks), func(i int) bool { return t.chunks[i].first > key })-1)
		for i := first; i < len(t.chunks); i++ {
			items = t.chunks[i].unpack(items[:0], prefix)
			for _, it := range items {
				if it.key > key && !yield(it) {
					return
				}
			}
		}
	}
}

// size is what the table takes, in bytes.
func (t *table) size() int {
	n := 0
	for i := range t.chunks {
		n += chunkCost + len(t.chunks[i].data) + len(t.chunks[i].first)
	}
	return n
}
