package store

import (
	"context"
	"io"
	"iter"
	"time"
)

// CategoryStorage is the category of all providers here. Source: Amplify JavaScript v5, StorageProvider.getCategory.
const CategoryStorage = "Storage"

// Provider is Amplify's custom Storage plugin: the seven methods that make a bucket out of anything. [FromProvider] makes the whole contract of
// the mount out of them; what a provider can do better it says by implementing [Conditional], [Describer], [Copier], [Pager],
// [BatchRemover], [Multipart], [Limited], [Configurable], [Syncer], [Prober], [Presigner] or [io.Closer], too.
//
// All methods but Configure may be called concurrently. Keys are opaque: 1 to [Limits.MaxKey] bytes. An error is a *[Error], or wraps
// one of the kinds of failure of this package or of io/fs; any other counts as [ErrTransient], of which Put and Remove may have been
// applied all the same. What fails for a moment Get and List repeat by themselves.
// Source of the shape: Amplify JavaScript v5, "Storage, custom plugin" (configure, get, put, remove, list, getCategory, getProviderName).
type Provider interface {
	// ProviderName is the name that it is chosen by.
	ProviderName() string
	// Category is [CategoryStorage].
	Category() string
	// Configure is called once, before all but the two above. It sends no request that needs more rights than those of
	// one level.
	Configure(ctx context.Context, o Options) error

	// Get opens a range of an object, clipped to it. The body and the Object are of one version, whose ETag no version with
	// other bytes has; Object.Headers are those that Put was given: ContentType and Metadata at least. No object: [ErrNotExist].
	Get(ctx context.Context, key string, r Range) (io.ReadCloser, Object, error)
	// Put stores a body and its headers in the place of what is there, in one step: others see the whole of it or nothing. When the body
	// can not be read to its end it stores nothing.
	Put(ctx context.Context, key string, body *io.SectionReader, h Headers) (PutResult, error)
	// Remove removes an object; an absent one is no error.
	Remove(ctx context.Context, key string) error
	// List gives what begins with prefix and comes after a key (""= from the beginning), in the order of the keys' bytes, without Headers.
	// An error is the last pair.
	List(ctx context.Context, prefix, after string) iter.Seq2[Object, error]
}

// Conditional is implemented by providers whose writes look and write in one step, whoever else writes: a condition that does not hold is
// [ErrChanged] (IfMatch of an absent key: [ErrNotExist]) and nothing is changed. Of the conditions IfMatch and IfNoneMatch are asked for.
// Without it conditions hold against the other writers of this process alone: [Limits.LooseCond].
type Conditional interface {
	PutIf(ctx context.Context, key string, body *io.SectionReader, h Headers, c Cond) (PutResult, error)
	RemoveIf(ctx context.Context, key string, c Cond) error
}

// Describer is implemented by providers that can describe an object, Headers included, for less than an open Get of nothing of it.
type Describer interface {
	Head(ctx context.Context, key string) (Object, error)
}

// Copier is implemented by providers that copy without the bytes coming here, and keep all of the request. It is asked where the conditions
// are the provider's own, too ([Conditional]).
type Copier interface {
	Copy(ctx context.Context, r CopyRequest) (PutResult, error)
}

// Pager is implemented by providers that list what is below a delimiter as one, as [Reader.List] does.
type Pager interface {
	Pages(ctx context.Context, prefix string, o ListOptions) iter.Seq2[Page, error]
}

// BatchRemover is implemented by providers that remove many objects at once, as [Writer.DeleteMany] does.
type BatchRemover interface {
	RemoveMany(ctx context.Context, keys []string) (failed []KeyError, err error)
}

// Presigner is implemented by providers that can make URLs by which anybody can read an object for a while, without asking anybody.
type Presigner interface {
	PresignGet(ctx context.Context, key string, expires time.Duration) (string, error)
}

// Limited is implemented by providers whose bounds are not those of [WholeLimits], and by all that have [Multipart].
type Limited interface{ Limits() Limits }

// Configurable is implemented by providers that have settings of their own; others are given none.
type Configurable interface{ Settings() []Setting }

// Capabilities names what p can do beyond the seven methods, in a fixed order: "conditions", "head", "copy", "multipart", "pages",
// "remove-many", "presign", "probe", "sync".
func Capabilities(p Provider) []string {
	var of any = p
	if w, ok := p.(interface{ contract() Store }); ok {
		of = w.contract()
	}
	var can []string
	note := func(name string, has bool) {
		if has {
			can = append(can, name)
		}
	}
	_, whole := of.(Store)
	_, conditions := of.(Conditional)
	_, head := of.(Describer)
	_, copies := of.(Copier)
	_, parts := of.(Multipart)
	_, pages := of.(Pager)
	_, many := of.(BatchRemover)
	_, presign := of.(Presigner)
	_, probe := of.(Prober)
	_, sync := of.(Syncer)
	note("conditions", whole || conditions)
	note("head", whole || head)
	note("copy", whole || copies)
	note("multipart", parts)
	note("pages", whole || pages)
	note("remove-many", whole || many)
	note("presign", presign)
	note("probe", probe)
	note("sync", sync)
	return can
}
