package spool

import "context"

// Recovery is what a spool held when it was opened.
type Recovery struct {
	Records  []Record            // in order, those that can be trusted
	Unsealed map[string]*Content // by generation: created, neither sealed nor ended. Sealed by recovery: adopt, or Release
	Damaged  []Damage            // sealed generations whose bytes did not survive
	SameBoot bool                // the process ended, not the kernel
	Cut      int64               // bytes of a torn or damaged tail that were cut off the log
	Lost     int                 // good frames behind the last SYNC that another boot must not trust
}

// Damage is a trusted generation whose bytes are missing. Its files, as far as they are there, stay until a
// record ends the generation.
type Damage struct {
	Gen string
	Key string // of the record that listed its extents
	Seq uint64 // of that record
	Err error  // wraps ErrDamaged
}

// Spool is an open spool. Its methods are safe for concurrent use.
type Spool struct{}

// Open opens or makes the spool in c.Dir and recovers what it holds.
// Errors: *ErrLocked, ErrOwner, ErrFormat.
func Open(c Config) (*Spool, *Recovery, error) { panic("later") }

// Append gives the records their Seq and writes them with one write(2): from
// then on they survive the end of the process. After an error none was written.
func (s *Spool) Append(recs ...*Record) error { panic("later") }

// Sync puts everything written before the call on stable storage. Concurrent callers share one group sync.
// The end of ctx ends the waiting, not the sync.
func (s *Spool) Sync(ctx context.Context) error { panic("later") }

// NewContent makes an empty generation on top of baseSize bytes of its base (0 = whole).
func (s *Spool) NewContent(gen string, baseSize int64) *Content { panic("later") }

// Adopt makes a sealed generation from what a record listed. It fails with
// ErrDamaged when storage is missing.
func (s *Spool) Adopt(gen string, size int64, extents []Extent) (*Content, error) { panic("later") }

// Recovered ends recovery: storage that no content refers to is deleted.
func (s *Spool) Recovered() error { panic("later") }

// Checkpoint replaces the log atomically by one that holds just these records. A record with a
// Seq keeps it, one without gets the next. No Append may run meanwhile.
func (s *Spool) Checkpoint(snapshot []*Record) error { panic("later") }

// Usage tells the bytes in segments and data files, and in the log.
func (s *Spool) Usage() (bytes, logBytes int64) { panic("later") }

// Close syncs, ends the background work and unlocks. Contents must not be used any more.
func (s *Spool) Close() error { panic("later") }
