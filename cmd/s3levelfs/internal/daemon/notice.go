package daemon

import (
	"context"

	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/internal/notify"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// openNotify begins to tell the user of trouble where --notify asks for it.
func (s *session) openNotify() {
	var run func(context.Context, notify.Event) error
	switch how := s.cfg.Notify; how {
	case "":
		return
	case notify.Desktop:
		var err error
		if run, err = notify.ByDesktop(); err != nil {
			s.log.Warn("nobody will be notified", zap.Error(err))
			return
		}
	default:
		run = notify.ByCommand(how)
	}
	s.notices = notify.New(run, s.log.Named("notify"))
	s.onClose(s.notices.Close)
}

// event is told of all that the uploader does or finds.
func (s *session) event(e uploader.Event) {
	s.vfs.Event(e)
	s.seen.Count(e.Kind.String())
	if s.notices == nil {
		return
	}
	path := func(key string) string {
		if p, ok := s.backend.Policy.PathOf(key); ok {
			return p
		}
		return key
	}
	n := notify.Event{Path: path(e.Key)}
	if e.Err != nil {
		n.Err = e.Err.Error()
	}
	switch e.Kind {
	case uploader.Committed, uploader.Removed:
		s.notices.Stored(n.Path)
		return
	case uploader.Conflict:
		n.Kind, n.Other, n.Theirs = notify.Conflict, path(e.To), e.Theirs
	case uploader.Failed:
		n.Kind = notify.Failed
	case uploader.BaseLost:
		n.Kind = notify.BaseLost
	case uploader.Kept:
		n.Kind = notify.Quarantined
	default:
		return
	}
	s.notices.Tell(n)
}
