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

// notice tells the user of trouble with a file, which the event is of.
func (s *session) notice(e uploader.Event) {
	if s.notices == nil {
		return
	}
	n := notify.Event{Path: s.shown(e.Key)}
	if e.Err != nil {
		n.Err = e.Err.Error()
	}
	switch e.Kind {
	case uploader.Committed, uploader.Removed:
		s.notices.Stored(n.Path)
		return
	case uploader.Conflict:
		n.Kind, n.Other, n.Theirs = notify.Conflict, s.shown(e.To), e.Theirs
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
