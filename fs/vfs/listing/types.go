package listing

import (
	"time"

	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/store"
)

// Entry is one entry of a directory. A file and a directory of the same name
// are two entries, the file first.
type Entry struct {
	Name string // key element, raw: never escaped; "" for a//b's directory in a/
	Dir  bool

	// Marker: the directory's zero-byte object is known to be there. A
	// delimited listing does not tell, so false means unknown or none.
	Marker bool

	// Object is the file, or the marker where Marker is set; else zero.
	Object store.Object
}

// Fresh tells how long an answer holds.
type Fresh struct {
	Until time.Time // may be served up to here without asking again; may be past
	Stale bool      // from before an outage that goes on (promise 9)
}

// Config bounds an [Index]. The zero value is the default.
type Config struct {
	TTL         time.Duration // how long a listing is believed, from its begin; 0 = 5 s
	StaleIfDown time.Duration // how long complete listings are served into an outage; 0 = 10 min, < 0 = never
	MaxEntries  int           // kept in memory over all directories; 0 = 2,000,000
	MaxBytes    int           // that they may take, about: 30 to 50 an entry; 0 = 64 MiB
	Log         *zap.Logger   // nil = none
}

func (c Config) withDefaults() Config {
	if c.TTL == 0 {
		c.TTL = 5 * time.Second
	}
	if c.StaleIfDown == 0 {
		c.StaleIfDown = 10 * time.Minute
	}
	if c.MaxEntries <= 0 {
		c.MaxEntries = 2_000_000
	}
	if c.MaxBytes <= 0 {
		c.MaxBytes = 64 << 20
	}
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	return c
}
