package store

import "context"

type crc32Key struct{}

// WithCRC32 gives the CRC-32 (IEEE) of the body of the Put or UploadPart that is sent under a context, as who wrote its bytes
// knows it. The store refuses a body that has another one, whose bytes are not those any more: an error with the code
// BadDigest or XAmzContentChecksumMismatch. Providers that have no use for it compute their own, or none.
func WithCRC32(ctx context.Context, sum uint32) context.Context {
	return context.WithValue(ctx, crc32Key{}, sum)
}

// CRC32Of is what WithCRC32 gave, if it did.
func CRC32Of(ctx context.Context) (sum uint32, ok bool) {
	sum, ok = ctx.Value(crc32Key{}).(uint32)
	return sum, ok
}
