package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/control"
	"github.com/s3levelfs/s3levelfs/internal/config"
	"github.com/s3levelfs/s3levelfs/internal/telemetry"
	"github.com/s3levelfs/s3levelfs/uploader"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// maxNamed bounds the files of a spool that are findings of their own.
const maxNamed = 20

// checkSpools looks at every spool of this user below the state directory, and at those of running mounts.
func checkSpools(ctx context.Context, cfg *config.Loaded) []finding {
	mounts, err := telemetry.LookUp(config.RuntimeDir())
	var found []finding
	if err != nil {
		found = append(found, problem("mount", config.RuntimeDir(), "it has to be yours: remove it, or set XDG_RUNTIME_DIR", "%v", err))
	}
	dirs, _ := filepath.Glob(filepath.Join(control.AbsoluteOr(cfg.StateBase()), "*")) // the pattern is good
	byDir := map[string]telemetry.Mount{}
	for _, m := range mounts {
		byDir[m.State] = m
		dirs = append(dirs, m.State)
	}
	slices.Sort(dirs)
	for _, dir := range slices.Compact(dirs) {
		if m, ok := byDir[dir]; ok {
			some, alive := checkMounted(ctx, m)
			found = append(found, some...)
			if alive {
				continue
			}
		}
		found = append(found, checkSpool(dir)...)
	}
	return found
}

// checkMounted asks a running mount; alive is false where its process has died, so that its spool can be looked at.
func checkMounted(ctx context.Context, m telemetry.Mount) (found []finding, alive bool) {
	ctx, cancel := context.WithTimeout(ctx, control.StatusTimeout)
	defer cancel()
	var s control.MountStatus
	err := telemetry.Dial(m.Socket).Status(ctx, &s)
	switch {
	case err != nil && control.Died(err):
		return nil, false
	case err != nil:
		return []finding{problem("mount", m.Mountpoint, fmt.Sprintf("if it stays so: kill %d, s3levelfs umount %s, mount again: what was closed is kept", m.PID, m.Mountpoint),
			"process %d does not answer: %v", m.PID, err)}, true
	}
	u := s.Uploads
	if s.Version != cmdline.Version {
		found = append(found, note("mount", m.Mountpoint, "unmount and mount again to use this one", "is served by version %s", s.Version))
	}
	if u.Paused != "" {
		found = append(found, problem("uploads", m.Mountpoint, "renew the credentials: uploads go on by themselves", "all wait: %s", u.Paused))
	}
	for _, l := range u.Levels {
		if l.State == "denied" {
			found = append(found, problem("rights", l.Prefix, "check the policy of the role; nothing is dropped meanwhile", "the store refuses writes: %s", l.Error))
		}
	}
	found = append(found, pendingFindings(s.Spool, u.Items, "retried by itself; at once: s3levelfs spool retry", true)...)
	found = append(found, keptFindings(u.Kept)...)
	name := fmt.Sprintf("%s at %s", spoolName(config.Owned{Endpoint: s.Endpoint, Bucket: s.Bucket, Identity: s.Identity}), m.Mountpoint)
	if len(found) == 0 {
		found = append(found, good("spool", s.Spool, "%s: %s", name, waiting(u.Queued+u.Sending, u.Bytes)))
	}
	return found, true
}

func spoolName(o config.Owned) string {
	name := "bucket " + o.Bucket
	if o.Endpoint != "" {
		name += " at " + o.Endpoint
	}
	if o.Identity == "" {
		return name + ", guest"
	}
	return name + ", identity " + o.Identity
}

func waiting(n int, bytes int64) string {
	if n == 0 {
		return "everything is uploaded"
	}
	return fmt.Sprintf("%s not uploaded yet (%s)", cmdline.Plural(n, "change"), cmdline.BytesText(bytes))
}

// checkSpool looks at a spool that nobody serves.
func checkSpool(dir string) []finding {
	v, err := spool.Look(filepath.Join(dir, "spool"))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, control.ErrNotDir) {
		return nil
	}
	if err != nil {
		return []finding{problem("spool", dir, "keep it: copy it somewhere before you do anything, and ask", "can not be read: %v", err)}
	}
	owner, _ := config.ParseOwner(v.Owner)
	var found []finding
	if v.Torn > 0 {
		found = append(found, tornFinding(dir, v))
	}
	for _, d := range v.Damaged[:min(len(v.Damaged), maxNamed)] {
		found = append(found, problem("spool", d.Key, "s3levelfs spool export "+d.Gen+" gives what there is; check the disk", "its bytes are damaged: %v", d.Err))
	}
	pending, kept := uploader.Survey(slices.Concat(v.Records, v.Salvaged))
	items := control.ItemsOf(pending)
	found = append(found, pendingFindings(dir, items, "mount it again: "+mountCommandOf(owner), false)...)
	found = append(found, keptFindings(control.KeptOf(kept))...)
	if !slices.ContainsFunc(found, func(f finding) bool { return f.Level == levelProblem }) {
		found = append(found, good("spool", dir, "%s, not mounted: everything is uploaded", spoolName(owner)))
	} else {
		found = append(found, note("spool", dir, "", "%s, not mounted, %s", spoolName(owner), cmdline.BytesText(v.Bytes)))
	}
	return found
}

// tornFinding tells a log that a crash has torn from one that is damaged in its middle.
func tornFinding(dir string, v *spool.View) finding {
	if len(v.Salvaged) == 0 {
		return note("spool", dir, "nothing: the next mount cuts it; what was synced is before it",
			"its log ends in %d torn bytes, as a crash leaves it", v.Torn)
	}
	return problem("spool", dir, "check the disk; the next mount keeps what is behind the damage for s3levelfs spool export",
		"its log is damaged %d bytes before its end", v.Torn)
}

// mountCommandOf is what uploads the rest of a spool.
func mountCommandOf(o config.Owned) string {
	words := []string{"s3levelfs mount"}
	local, isLocal := strings.CutPrefix(o.Endpoint, "local:")
	if isLocal {
		words = append(words, "--local", cmdline.Quoted(local))
	} else {
		words = append(words, "--bucket", cmdline.Quoted(o.Bucket))
		if o.Endpoint != "" {
			words = append(words, "--endpoint", cmdline.Quoted(o.Endpoint))
		}
		if o.Identity != "" {
			words = append(words, "--identity-id", cmdline.Quoted(o.Identity))
		} else {
			words = append(words, "--guest")
		}
	}
	for i, def := range []struct{ flag, value string }{
		{"--public-prefix", "public/"}, {"--protected-prefix", "protected/"}, {"--private-prefix", "private/"},
	} {
		if o.Prefixes[i] != def.value {
			words = append(words, def.flag, cmdline.Quoted(o.Prefixes[i]))
		}
	}
	return strings.Join(append(words, "DIR"), " ")
}

// pendingFindings tells what waits. Where a mount is at it only what has failed is a problem.
func pendingFindings(dir string, items []telemetry.Item, mend string, mounted bool) (found []finding) {
	count, bytes, failed := 0, int64(0), 0
	var oldest time.Time
	for _, i := range items {
		count++
		bytes += i.Size
		if !i.Since.IsZero() && (oldest.IsZero() || i.Since.Before(oldest)) {
			oldest = i.Since
		}
		if i.Error == "" {
			continue
		}
		if failed++; failed <= maxNamed {
			found = append(found, problem("upload", i.Key, mend, "%s failed, %s, waits since %s", i.What, i.Error, i.Since.Local().Format(time.DateTime)))
		}
	}
	if failed > maxNamed {
		found = append(found, problem("upload", dir, "s3levelfs spool ls lists them", "%d more have failed", failed-maxNamed))
	}
	if !mounted && count > 0 {
		since := ""
		if !oldest.IsZero() {
			since = ", the oldest since " + oldest.Local().Format(time.DateTime)
		}
		found = append(found, problem("spool", dir, mend, "%s%s, and nothing is mounted that would upload them", waiting(count, bytes), since))
	}
	return found
}

// keptFindings tells what is never uploaded by itself.
func keptFindings(kept []telemetry.Kept) (found []finding) {
	for i, k := range kept {
		if i == maxNamed {
			return append(found, problem("kept", "spool", "s3levelfs spool ls lists them", "%d more are kept", len(kept)-i))
		}
		why := "was open, neither closed nor synced, when its daemon ended"
		if k.Reason == control.ReasonBaseLost {
			why = "changes a stored version that is gone"
		}
		if k.Why != "" {
			why = k.Why
		}
		found = append(found, problem("kept", cmp.Or(k.Key, control.Nameless), fmt.Sprintf("s3levelfs spool export %s, then s3levelfs spool discard %s", k.Generation, k.Generation),
			"%s: %s, never uploaded by itself (%s)", k.Reason, why, cmdline.BytesText(k.Size)))
	}
	return found
}
