package tracking

import (
	"encoding/json"
	"fmt"
	"time"
)

// Method is what was called, by the name that Amplify gives it in the attribute "method".
// Source: @aws-amplify/storage, dispatchStorageEvent in AWSS3Provider.ts (put, get, remove, list, copy, getProperties).
type Method string

// The methods. Amplify's "getSignedUrl" event has the method get as well, and never a fileSize.
const (
	Put           Method = "put"
	Get           Method = "get"
	Remove        Method = "remove"
	List          Method = "list"
	Copy          Method = "copy"
	GetProperties Method = "getProperties"
)

// The values of the attribute "result".
const (
	success = "success"
	failed  = "failed"
)

// noSize is the size of what is no download that has succeeded.
const noSize = -1

// Event is one call that has ended. The zero value is none: [Of] and [Download] make them.
type Event struct {
	method Method
	result string
	size   int64 // bytes of a download; noSize = no metric
	at     time.Time
}

// Of is the event of a call that has ended with err, nil = well.
func Of(m Method, err error) Event {
	if err != nil {
		return Event{method: m, result: failed, size: noSize}
	}
	return Event{method: m, result: success, size: noSize}
}

// Download is the event of an object of so many bytes that was read, or could not be. The size is that of the object, as in Amplify, which
// takes it from the answer's headers.
func Download(size int64, err error) Event {
	e := Of(Get, err)
	if err == nil {
		e.size = size
	}
	return e
}

// String names the event as Amplify's analytics shows it.
func (e Event) String() string { return fmt.Sprintf("Storage > %s > %s", e.method, e.result) }

// wire is the record. Source: AWSS3Provider's analytics record {name, attributes, metrics}; timestamp is as Date.toISOString
// gives it, of the call's end.
type wire struct {
	Name       string     `json:"name"`
	Attributes attributes `json:"attributes"`
	Metrics    *metrics   `json:"metrics,omitempty"`
	Timestamp  string     `json:"timestamp"`
}

type attributes struct {
	Method Method `json:"method"`
	Result string `json:"result"`
}

type metrics struct {
	FileSize int64 `json:"fileSize"` // bytes
}

// isoMillis is the form of ECMAScript's Date.toISOString.
const isoMillis = "2006-01-02T15:04:05.000Z"

// MarshalJSON gives the record that Amplify's providers get.
func (e Event) MarshalJSON() ([]byte, error) {
	w := wire{Name: "Storage", Attributes: attributes{e.method, e.result}, Timestamp: e.at.UTC().Format(isoMillis)}
	if e.size != noSize {
		w.Metrics = &metrics{e.size}
	}
	return json.Marshal(w)
}
