package peruser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/internal/telemetry"
)

// record is what a front notes of a mount for the one after it: a JSON file of root's, "<uid>.json" beside the mountpoint, format 1.
type record struct {
	Format   int    `json:"format"`
	UID      uint32 `json:"uid"`
	PID      int    `json:"pid"`
	Socket   string `json:"socket"`
	Settings string `json:"settings"` // a sum of those that it was started with
}

const recordFormat = 1

func (s *Spawner) recordFile(uid uint32) string {
	return filepath.Join(s.cfg.Base, fmt.Sprintf("%d.json", uid))
}

func (s *Spawner) note(r record) error {
	r.Format, r.Settings = recordFormat, s.settings
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return renameio.WriteFile(s.recordFile(r.UID), text, 0o600)
}

// Left finds the mounts that an earlier front has left, for there is no way back from its crash for them: who has files open in one keeps
// them. One that was started with other settings is told to end, uploads first; one that does not answer, or was never noted, is taken out of
// the tree, and its process then drains and ends by itself.
func (s *Spawner) Left(ctx context.Context) (map[uint32]Mount, error) {
	entries, err := os.ReadDir(s.cfg.Base)
	if err != nil {
		return nil, err
	}
	left := map[uint32]Mount{}
	for _, e := range entries {
		uid, err := strconv.ParseUint(e.Name(), 10, 32)
		if err != nil || !e.IsDir() {
			continue
		}
		m, err := s.adopt(ctx, uint32(uid))
		if err != nil {
			s.log.Sugar().Infof("a mount of user %d is not taken over: %v", uid, err)
			removeMount(s.Dir(uint32(uid)))
			_ = os.Remove(s.recordFile(uint32(uid))) // there is none, or it names nothing
			continue
		}
		left[uint32(uid)] = m
	}
	return left, nil
}

func (s *Spawner) adopt(ctx context.Context, uid uint32) (Mount, error) {
	var r record
	text, err := os.ReadFile(s.recordFile(uid))
	if errors.Is(err, os.ErrNotExist) {
		return nil, errors.New("none was noted")
	}
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		return nil, err
	}
	if r.Format != recordFormat || r.UID != uid || !ownedBy(fmt.Sprintf("/proc/%d", r.PID), uid) {
		return nil, fmt.Errorf("process %d has ended", r.PID)
	}
	p := &process{dir: s.Dir(uid), client: telemetry.Dial(r.Socket).Limit(maxAnswer), forget: func() { _ = os.Remove(s.recordFile(uid)) }}
	if p.process, err = os.FindProcess(r.PID); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	st, err := p.status(ctx)
	switch {
	case err != nil:
		return nil, err
	case st.PID != r.PID || st.Mountpoint != p.dir || st.State != "mounted":
		return nil, fmt.Errorf("process %d is %s at %s", st.PID, strings.TrimSpace(st.State), st.Mountpoint)
	}
	if r.Settings != s.settings {
		_ = p.process.Signal(unix.SIGTERM) // it has just answered; what it leaves is in its spool
		return nil, errors.New("it has other settings: it ends, after its uploads")
	}
	if err := watchProcess(p, r.PID); err != nil {
		return nil, err
	}
	s.keep(p)
	return p, nil
}
