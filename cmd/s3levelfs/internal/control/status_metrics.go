package control

import (
	"time"

	"github.com/s3levelfs/s3levelfs/internal/telemetry"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// troubles are the kinds of events that are shown from 0 on, so that an alert can be made before the first one.
func troubles() []uploader.EventKind {
	return []uploader.EventKind{
		uploader.Conflict, uploader.Failed, uploader.BaseLost, uploader.Kept, uploader.Reappeared, uploader.ForeignGone, uploader.LevelDenied,
	}
}

// MetricsOf is what a mount says of itself, as figures.
func MetricsOf(s *MountStatus) []telemetry.Metric {
	const prefix = "s3levelfs_"
	gauge := func(name, help string, value float64) telemetry.Metric {
		return telemetry.Metric{Name: prefix + name, Help: help, Values: map[string]float64{"": value}}
	}
	counts := func(name, help, label string, values map[string]int64) telemetry.Metric {
		m := telemetry.Metric{Name: prefix + name, Help: help, Counter: true, Label: label, Values: map[string]float64{}}
		for k, v := range values {
			m.Values[k] = float64(v)
		}
		return m
	}
	events := counts("events_total", "What has happened to files since the mount, by kind.", "kind", s.Events)
	for _, k := range troubles() {
		events.Values[k.String()] += 0
	}
	u := s.Uploads
	oldest := 0.0
	if !u.Oldest.IsZero() {
		oldest = time.Since(u.Oldest).Seconds()
	}
	paused := 0.0
	if u.Paused != "" {
		paused = 1
	}
	families := []telemetry.Metric{
		{Name: prefix + "changes", Help: "Changes that are not in the bucket yet, by state.", Label: "state", Values: map[string]float64{
			"open": float64(u.Open), "queued": float64(u.Queued), "sending": float64(u.Sending), "failed": float64(u.Failed),
		}},
		{Name: prefix + "kept", Help: "Contents that are never uploaded by themselves, by reason.", Label: "reason", Values: map[string]float64{
			"quarantined": float64(u.Quarantined), "base-lost": float64(u.BaseLost),
		}},
		counts("conflicts_total", "Objects that somebody else had changed meanwhile, since the mount.", "", map[string]int64{"": int64(u.Conflicts)}),
		events,
		gauge("unsent_bytes", "Bytes of closed files that are not in the bucket yet.", float64(u.Bytes)),
		gauge("oldest_change_seconds", "Age of the oldest change that is not in the bucket yet; 0 = there is none.", oldest),
		gauge("paused", "1 while all uploads wait, for credentials.", paused),
		gauge("spool_bytes", "Bytes that the spool takes.", float64(s.SpoolBytes)),
		gauge("spool_free_bytes", "Free bytes on the spool's disk; -1 = not known.", float64(s.SpoolFree)),
		counts("requests_total", "Requests to the store, by kind.", "kind", s.Requests.Count),
		counts("request_failures_total", "Requests that failed, by kind.", "kind", s.Requests.Failed),
		counts("kernel_requests_total", "Requests of the kernel to the mount, by kind; its caches answer the rest.", "kind", s.Kernel),
		counts("sent_bytes_total", "Bytes of objects and parts that the store has taken.", "", map[string]int64{"": s.Requests.Sent}),
		counts("cache_hits_total", "Blocks that were read from the cache.", "", map[string]int64{"": s.Cache.Hits}),
		counts("cache_misses_total", "Blocks that were not.", "", map[string]int64{"": s.Cache.Misses}),
	}
	if t := s.Tracking; t != nil {
		families = append(families, counts("tracking_events_total", "Tracked calls, by what has become of their events.", "result", map[string]int64{
			"sent": t.Sent, "lost": t.Lost, "refused": t.Refused,
		}))
	}
	if t := s.Triggers; t != nil {
		families = append(families, counts("trigger_commands_total", "Commands for uploads and removals, by what has become of them.", "result", map[string]int64{
			"succeeded": t.Succeeded, "failed": t.Failed, "lost": t.Lost,
		}))
	}
	if d := s.Disk; d != nil {
		families = append(families,
			gauge("disk_cache_bytes", "Bytes that the read cache takes on its disk.", float64(d.Bytes)),
			gauge("disk_cache_size_bytes", "Bytes that it may take.", float64(d.Size)),
			counts("disk_cache_hits_total", "Blocks that were read from the disk, instead of the store.", "", map[string]int64{"": d.Hits}),
			counts("disk_cache_written_total", "Blocks that were written to it.", "", map[string]int64{"": d.Written + d.Carried}),
			counts("disk_cache_lost_total", "Blocks that it has not or no longer, by reason.", "reason", map[string]int64{
				"evicted": d.Evicted, "dropped": d.Dropped, "bad": d.Bad,
			}),
		)
	}
	return families
}
