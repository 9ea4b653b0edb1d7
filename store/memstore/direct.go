package memstore

import (
	"slices"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
)

// Raw is an object as it lies in the bucket.
type Raw struct {
	Data         []byte
	ETag         string        // of PutRaw: "" means the MD5 of Data
	NoETag       bool          // an object that the server knows no ETag of
	LastModified time.Time     // of PutRaw: zero means now
	Headers      store.Headers // StorageClass GLACIER and DEEP_ARCHIVE are archived
	Checksum     string        // as in store.Object; of PutRaw: "" means none
	Parts        int
}

// Objects returns a copy of the bucket.
func (s *Store) Objects() map[string]Raw {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string]Raw, len(s.objects))
	for k, o := range s.objects {
		all[k] = o.raw()
	}
	return all
}

// Keys returns the keys of the bucket in order.
func (s *Store) Keys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.keys)
}

// Object returns a copy of one object.
func (s *Store) Object(key string) (Raw, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.objects[key]
	if !ok {
		return Raw{}, false
	}
	return o.raw(), true
}

func (o *object) raw() Raw {
	return Raw{
		Data: slices.Clone(o.data), ETag: o.etag, NoETag: o.etag == "", LastModified: o.lastModified,
		Headers: o.headers.Clone(), Checksum: o.checksum, Parts: o.parts,
	}
}

// PutRaw is a foreign writer: it stores r under key behind the client's back,
// without a request, a right or a check, and returns the ETag.
func (s *Store) PutRaw(key string, r Raw) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := &object{
		data: slices.Clone(r.Data), etag: r.ETag, lastModified: r.LastModified,
		headers: r.Headers.Clone(), checksum: r.Checksum, parts: r.Parts,
	}
	if o.etag == "" && !r.NoETag {
		o.etag = etagOf(o.data)
	}
	if o.lastModified.IsZero() {
		o.lastModified = s.now()
	}
	if o.headers.ContentType == "" {
		o.headers.ContentType = defaultContentType
	}
	s.insert(key, o)
	return o.etag
}

// PutString is PutRaw of plain text, for short tests.
func (s *Store) PutString(key, data string) string {
	return s.PutRaw(key, Raw{Data: []byte(data)})
}

// Remove deletes keys behind the client's back. Absent ones are no error.
func (s *Store) Remove(keys ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range keys {
		s.remove(k)
	}
}

// Corrupt flips a bit of the byte at off and leaves ETag and checksum as they
// were. It reports whether there is such a byte. Bodies opened before keep what
// they had.
func (s *Store) Corrupt(key string, off int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.objects[key]
	if o == nil || off < 0 || off >= int64(len(o.data)) {
		return false
	}
	bad := *o
	bad.data = slices.Clone(o.data)
	bad.data[off] ^= 1
	s.objects[key] = &bad
	return true
}

// Archive gives the object a storage class that reads refuse until it is
// restored (GLACIER). It reports whether the object exists.
func (s *Store) Archive(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.objects[key]
	if o == nil {
		return false
	}
	cold := *o
	cold.headers = o.headers.Clone()
	cold.headers.StorageClass = "GLACIER"
	s.objects[key] = &cold
	return true
}

// Uploads returns the multipart uploads that are neither completed nor aborted,
// as upload id to key.
func (s *Store) Uploads() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	open := map[string]string{}
	for id, u := range s.uploads {
		if u.result == nil {
			open[id] = u.key
		}
	}
	return open
}

// PartsOf returns the bytes of the parts that an open upload holds.
func (s *Store) PartsOf(uploadID string) map[int32][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	parts := map[int32][]byte{}
	if u := s.uploads[uploadID]; u != nil {
		for n, p := range u.parts {
			parts[n] = slices.Clone(p.data)
		}
	}
	return parts
}

// LoseUploads forgets all multipart uploads, as a lifecycle rule does: requests
// on them answer NoSuchUpload.
func (s *Store) LoseUploads() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.uploads)
}
