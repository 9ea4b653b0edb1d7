package access

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
)

// cleanUp is how long the removal of a probe's object may take, also after the caller's end.
const cleanUp = 20 * time.Second

// key is a new name that nobody has: the same beginning as that of the mount's own probe.
func (p *prober) key(at *place, op Op) string {
	return at.prefix + ".s3levelfs-probe-" + p.nonce + "-" + string(op)
}

// ask asks about all operations in a place.
func (p *prober) ask(ctx context.Context, at *place) error {
	for _, o := range Ops() {
		if !at.has(o) {
			continue
		}
		var a answer
		var err error
		switch o {
		case List:
			a, err = p.list(ctx, at)
		case Stat, Read:
			a, err = p.get(ctx, at, o)
		case Create, Overwrite:
			a, err = p.put(ctx, at, o)
		case Delete:
			a, err = p.remove(ctx, at)
		}
		if err != nil {
			return err
		}
		at.answers[o] = a
	}
	if p.config.MakeObjects {
		return p.make(ctx, at)
	}
	return nil
}

// judge makes an answer of a request's end where one is certain; other failures end the probing.
func judge(err error) (answer, error) {
	switch {
	case err == nil:
		return answer{is: Yes, certain: true}, nil
	case refused(err):
		return answer{is: No, certain: true}, nil
	case unclear(err):
		return answer{is: Unknown, why: "the server does not take the question: " + err.Error()}, nil
	}
	return answer{}, err
}

// list asks for one page, and keeps an object of it for what is asked next.
func (p *prober) list(ctx context.Context, at *place) (answer, error) {
	for page, err := range p.store.List(ctx, at.list, store.ListOptions{PageSize: 10}) {
		if err != nil {
			return judge(err)
		}
		for _, o := range page.Objects {
			if at.holds(o.Key) {
				at.object = o.Key
				break
			}
		}
		break
	}
	return judge(nil)
}

// get asks by HEAD or GET: about an object that exists, if one is known.
func (p *prober) get(ctx context.Context, at *place, o Op) (answer, error) {
	if at.object != "" {
		err := p.fetch(ctx, o, at.object)
		if !errors.Is(err, store.ErrNotExist) && !errors.Is(err, store.ErrArchived) { // gone meanwhile; archived: the right was judged
			return judge(err)
		}
		if errors.Is(err, store.ErrArchived) {
			return judge(nil)
		}
	}
	err := p.fetch(ctx, o, p.key(at, o))
	switch {
	case errors.Is(err, store.ErrNotExist):
		p.tells = true
		return judge(nil)
	case !refused(err):
		return judge(err)
	}
	return doubtful(at, err), nil
}

// doubtful is what a 403 for a key that does not exist may mean.
func doubtful(at *place, err error) answer {
	text := err.Error()
	if e, ok := errors.AsType[*store.Error](err); ok && e.Err != nil {
		text = e.Err.Error()
	}
	switch {
	case strings.Contains(text, "s3:ListBucket"):
		return answer{is: Yes, why: "the server says that it is the right to list that is missing"}
	case strings.Contains(text, "s3:GetObject"):
		return answer{is: No, why: "the server says that it is the right to read that is missing"}
	case at.answers[List].is == Yes:
		return answer{is: Unknown, why: "there is no object to be read, and the server does not tell absent from denied"}
	}
	return answer{is: No, why: "nothing can be seen there, and the server may not tell absent from denied"}
}

func (p *prober) fetch(ctx context.Context, o Op, key string) error {
	if o == Stat {
		_, err := p.store.Head(ctx, key, store.Cond{})
		return err
	}
	body, _, err := p.store.Get(ctx, key, store.Range{Len: 1}, store.Cond{})
	if err != nil {
		return err
	}
	return body.Close()
}

// put asks for what must be refused.
func (p *prober) put(ctx context.Context, at *place, o Op) (answer, error) {
	if o == Create {
		return p.probePut(ctx, at, o, store.Cond{IfNoneMatch: true})
	}
	a, err := p.probePut(ctx, at, o, store.Cond{IfMatch: `"0"`})
	if err != nil || a.is == Yes {
		return a, err
	}
	return p.probePut(ctx, at, o, store.Cond{})
}

func (p *prober) probePut(ctx context.Context, at *place, o Op, c store.Cond) (answer, error) {
	key := p.key(at, o)
	stored, err := p.store.ProbePut(ctx, key, c)
	if stored || store.Unanswered(err) {
		p.drop(ctx, key)
	}
	return judge(err)
}

// drop removes an object that a probe has made.
func (p *prober) drop(ctx context.Context, key string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUp)
	defer cancel()
	if err := p.store.Delete(ctx, key, store.Cond{}); err != nil {
		p.left = append(p.left, key)
	}
}

func (p *prober) remove(ctx context.Context, at *place) (answer, error) {
	err := p.store.Delete(ctx, p.key(at, Delete), store.Cond{IfMatch: "*"})
	if errors.Is(err, store.ErrChanged) || errors.Is(err, store.ErrNotExist) {
		err = nil // the condition was looked at after the rights
	}
	return judge(err)
}

// make settles what is doubtful by an object that it makes and removes.
func (p *prober) make(ctx context.Context, at *place) error {
	sure := func(o Op) bool { a := at.answers[o]; return a.is == Yes && a.certain }
	if !at.has(Read) || at.answers[Stat].certain && at.answers[Read].certain || !sure(Create) || !sure(Delete) {
		return nil
	}
	key := p.key(at, "object")
	body := strings.NewReader("?")
	_, err := p.store.Put(ctx, key, io.NewSectionReader(body, 0, body.Size()), store.Headers{ContentType: "text/plain"}, store.Cond{IfNoneMatch: true})
	if err != nil {
		if store.Unanswered(err) {
			p.drop(ctx, key)
		}
		return err
	}
	defer p.drop(ctx, key)
	for _, o := range []Op{Stat, Read} {
		if at.answers[o], err = judge(p.fetch(ctx, o, key)); err != nil {
			return err
		}
	}
	return nil
}

// settle makes certain what another place has shown: a server that tells absent from denied does so everywhere.
func (p *prober) settle(at *place) {
	for _, o := range []Op{Stat, Read} {
		if a, ok := at.answers[o]; ok && !a.certain && p.tells && at.has(o) && a.is != Yes {
			at.answers[o] = answer{is: No, certain: true}
		}
	}
}
