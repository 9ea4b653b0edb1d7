// Package op names the calls of store.Store: the value of store.Error's Op, and
// what test stores, counters and fault rules print and match. A listing is one
// call a page.
package op

// The calls of store.Reader, store.Writer and store.Multipart.
const (
	Head       = "head"
	Get        = "get"
	List       = "list"
	Put        = "put"
	Copy       = "copy"
	Delete     = "delete"
	DeleteMany = "delete-many"
	Create     = "create"
	UploadPart = "upload-part"
	CopyPart   = "copy-part"
	Complete   = "complete"
	Abort      = "abort"
)

// IsWrite reports whether a call may change the bucket.
func IsWrite(op string) bool {
	switch op {
	case Head, Get, List:
		return false
	}
	return true
}
