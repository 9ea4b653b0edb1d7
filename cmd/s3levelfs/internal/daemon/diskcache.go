package daemon

import (
	"errors"

	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/cache/disk"
	"github.com/s3levelfs/s3levelfs/internal/config"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// diskQueue bounds the bytes of blocks that wait for the disk. Most of them are in the cache in memory as well.
const diskQueue = 16 << 20

// diskCache is the part of the read cache that outlives a mount, or why there is none.
type diskCache struct {
	store *disk.Store // nil = there is none
	none  string
}

func (d *diskCache) stats() (*disk.Stats, string) {
	if d.store == nil {
		return nil, d.none
	}
	s := d.store.Stats()
	return &s, ""
}

// openDiskCache opens the read cache on disk. A mount goes on without one: it is faster with it, and nothing else.
func (s *session) openDiskCache(dir, owner string) {
	size := s.cfg.CacheSize
	switch size {
	case config.AutoSize:
		if size = disk.DefaultSize(dir); size == 0 {
			s.disk.none = "little is free on its disk: give a --cache-size to have one nevertheless"
		}
	case 0:
		s.disk.none = "--cache-size 0"
	}
	log := s.log.Named("cache")
	if size == 0 {
		log.Info("no read cache on disk", zap.String("dir", dir), zap.String("reason", s.disk.none))
		if err := disk.Remove(dir); err != nil {
			log.Warn("what an earlier mount has left of it was not removed", zap.String("dir", dir), zap.Error(err))
		}
		return
	}
	d, err := disk.Open(disk.Config{
		Dir: dir, Owner: owner, Size: size, KeepFree: spool.KeepFree(s.cfg.CacheKeepFree).Of, Log: log,
		Queue: min(diskQueue, s.cfg.Memory/8),
	})
	if err != nil {
		s.disk.none = err.Error()
		if errors.Is(err, disk.ErrLocked) {
			s.disk.none = "another mount of this bucket and identity uses " + dir
		}
		log.Warn("no read cache on disk", zap.String("reason", s.disk.none))
		return
	}
	s.disk.store = d
	s.onClose(d.Close)
}
