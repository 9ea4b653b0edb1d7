package access

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
)

// Store is what is asked.
type Store interface {
	store.Reader
	store.Prober
	Put(ctx context.Context, key string, body *io.SectionReader, h store.Headers, c store.Cond) (store.PutResult, error)
	Delete(ctx context.Context, key string, c store.Cond) error
}

// Config says who asks, and what the mount takes for granted.
type Config struct {
	// Policy has the identity, and the grants that answers are compared with. It shows all levels, uploads too.
	Policy   *levels.Policy
	Prefixes levels.Prefixes // those of Policy
	Paths    bool            // Policy is that of an app with path rules: its paths are the places, not the levels

	// MakeObjects allows an object to be made, read and removed in a place that
	// may be written and whose reading is not certain otherwise. A bucket that
	// keeps versions keeps it.
	MakeObjects bool
}

// Op is an operation.
type Op string

// The operations, in the order of the table.
const (
	List      Op = "list"
	Stat      Op = "stat"
	Read      Op = "read"
	Create    Op = "create"
	Overwrite Op = "overwrite"
	Delete    Op = "delete"
)

// Ops are all operations in the order of the table.
func Ops() []Op { return []Op{List, Stat, Read, Create, Overwrite, Delete} }

// perm is the grant that an operation needs.
func (o Op) perm() levels.Perm {
	switch o {
	case List:
		return levels.List
	case Stat, Read:
		return levels.Get
	case Create, Overwrite:
		return levels.Put
	case Delete:
		return levels.Delete
	}
	return levels.None
}

// Answer is whether an operation is allowed.
type Answer string

// The answers.
const (
	Yes     Answer = "yes"
	No      Answer = "no"
	Unknown Answer = "unknown"
)

// Cell is one operation in one place.
type Cell struct {
	Place   string `json:"place"`
	Prefix  string `json:"prefix"` // of the keys that were asked about
	Op      Op     `json:"operation"`
	Answer  Answer `json:"answer"`
	Certain bool   `json:"certain"`
	Granted bool   `json:"granted"`       // by the mount's access model
	Why     string `json:"why,omitempty"` // the answer is not certain
}

// Differs: the mount takes something else for granted.
func (c Cell) Differs() bool {
	return c.Answer == Yes && !c.Granted || c.Answer == No && c.Granted
}

// Report is the whole table.
type Report struct {
	Cells []Cell   `json:"cells"` // place by place
	Left  []string `json:"left"`  // keys of probes that could not be removed again
}

// Differences counts the cells that differ.
func (r Report) Differences() int {
	n := 0
	for _, c := range r.Cells {
		if c.Differs() {
			n++
		}
	}
	return n
}

// Probe asks about each operation in each place. It ends with the first answer
// that is not about rights: no bucket, no connection, no valid credentials.
func Probe(ctx context.Context, s Store, c Config) (Report, error) {
	p := &prober{store: s, config: c, nonce: strings.ToLower(rand.Text()[:16])}
	places, err := p.places(ctx)
	if err != nil {
		return Report{}, err
	}
	for i := range places {
		if err := p.ask(ctx, &places[i]); err != nil {
			return Report{Left: p.left}, fmt.Errorf("%s: %w", places[i].name, err)
		}
	}
	report := Report{Left: p.left}
	for i := range places {
		p.settle(&places[i])
		report.Cells = append(report.Cells, places[i].cells()...)
	}
	return report, nil
}

// prober is one round of questions.
type prober struct {
	store  Store
	config Config
	nonce  string
	left   []string

	// tells: a key that does not exist was answered by 404: then it always is, as that depends on a right to the whole bucket.
	tells bool
}

// refused is the one failure that answers a question.
func refused(err error) bool { return errors.Is(err, store.ErrPermission) }

// unclear is a refusal that says nothing of rights: the server does not take the question.
func unclear(err error) bool { return errors.Is(err, store.ErrInvalid) }
