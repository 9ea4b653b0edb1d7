package doctor

import (
	"errors"
	iofs "io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/control"
	"github.com/s3levelfs/s3levelfs/fs"
	"github.com/s3levelfs/s3levelfs/internal/config"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// checkFuse: can this user mount at all?
func checkFuse() []finding {
	helper, ok := fs.Helper()
	return []finding{checkDevice(fs.Device), checkHelper(helper, ok, unix.Geteuid())}
}

func checkDevice(path string) finding {
	const name = "fuse device"
	f, err := os.OpenFile(path, os.O_RDWR, 0) // gives it back untouched
	switch {
	case err == nil:
		_ = f.Close()
		return good(name, path, "is there and can be opened")
	case errors.Is(err, iofs.ErrNotExist):
		return problem(name, path, "`modprobe fuse`; a container needs --device /dev/fuse", "does not exist: nothing can be mounted")
	case errors.Is(err, iofs.ErrPermission):
		return problem(name, path, "as root: chmod 0666 "+path+"; a container needs --device /dev/fuse --cap-add SYS_ADMIN", "may not be opened by you")
	}
	return problem(name, path, "is the module fuse loaded (`modprobe fuse`)?", "can not be opened: %v", err)
}

// checkHelper: root mounts by itself, everybody else through a program with the set-user-id bit.
func checkHelper(path string, found bool, uid int) finding {
	const name, mend = "mount helper", "install it: apt-get install fuse3 (or dnf install fuse3)"
	switch {
	case !found && uid == 0:
		return good(name, "fusermount3", "is not installed; root does not need it")
	case !found:
		return problem(name, "fusermount3", mend, "is not installed: only root can mount")
	case uid == 0:
		return good(name, path, "is installed; root does not need it")
	}
	info, err := os.Stat(path)
	if err == nil && info.Mode()&os.ModeSetuid == 0 {
		return problem(name, path, "as root: chmod 4755 "+path, "is not set-user-id root: it can not mount for you")
	}
	return good(name, path, "is installed")
}

// checkAllowOther: fusermount3 lets ordinary users give --allow-other only where root has said so.
func checkAllowOther(conf string, uid int) finding {
	const name = "allow-other"
	if uid == 0 {
		return good(name, conf, "root may always use --allow-other")
	}
	text, err := os.ReadFile(conf)
	if err != nil && !errors.Is(err, iofs.ErrNotExist) {
		return problem(name, conf, "make it readable", "can not be read: %v", err)
	}
	for line := range strings.Lines(string(text)) {
		if line, _, _ := strings.Cut(line, "#"); strings.TrimSpace(line) == "user_allow_other" {
			return good(name, conf, "has user_allow_other")
		}
	}
	return problem(name, conf, "as root: echo user_allow_other >> "+conf, "lacks user_allow_other: --allow-other will be refused")
}

// enoughFiles is the limit of open files with which a mount gets along: each open large file is one, and some more.
const enoughFiles = 4096

func checkOpenFiles() finding {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return problem("open files", "limit", "is this Linux?", "not known: %v", err)
	}
	return openFilesFinding(l.Max)
}

// openFilesFinding judges the hard limit: the program raises its own to that.
func openFilesFinding(limit uint64) finding {
	if limit < enoughFiles {
		return problem("open files", "limit", "raise it: `ulimit -Hn 65536`, LimitNOFILE=65536 in a unit, nofile in /etc/security/limits.conf",
			"%d: programs that open many files at once will get EMFILE", limit)
	}
	return good("open files", "limit", "%d", limit)
}

// checkDirs looks at where state and cache are, or will be.
func checkDirs(cfg *config.Loaded) []finding {
	state, cache := control.AbsoluteOr(cfg.StateBase()), control.AbsoluteOr(cfg.CacheBase())
	keep := func(total int64) int64 { return spool.KeepFree(cfg.KeepFree).Of(total) }
	found := []finding{
		checkRoom("state directory", state, keep, "make room there: programs that write get ENOSPC; or mount with another --state-dir or --spool-keep-free"),
		checkRoom("cache directory", cache, func(int64) int64 { return 0 }, "make room there, or give another --cache-dir: reads are slower without it"),
	}
	if f, volatile := checkVolatile(state); volatile {
		found = append(found, f)
	}
	found = append(found, checkPrivate("state directory", state)...)
	return append(found, checkPrivate("cache directory", cache)...)
}

// existing is the directory itself, or the one above it that there is.
func existing(dir string) string {
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

func checkRoom(check, dir string, keep func(total int64) int64, mend string) finding {
	free, total := control.FreeOn(existing(dir))
	if free < 0 {
		return problem(check, dir, "is its disk mounted?", "its free room is not known")
	}
	if kept := keep(total); free < kept+control.LowDisk {
		return problem(check, dir, mend, "its disk is full: %s free, %s of that are kept for others", cmdline.BytesText(free), cmdline.BytesText(kept))
	}
	return good(check, dir, "%s free", cmdline.BytesText(free))
}

// checkVolatile: what is not uploaded yet would be lost with the memory.
func checkVolatile(dir string) (finding, bool) {
	var st unix.Statfs_t
	if err := unix.Statfs(existing(dir), &st); err != nil || st.Type != unix.TMPFS_MAGIC && st.Type != unix.RAMFS_MAGIC {
		return finding{}, false
	}
	return note("state directory", dir, "keep it on a disk: --state-dir", "is in memory: what is not uploaded yet does not survive a reboot"), true
}

// checkPrivate: nobody else may read what is kept of your files. The directory itself and each one in it.
func checkPrivate(check, dir string) []finding {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, iofs.ErrNotExist) {
		return []finding{good(check, dir, "not made yet")}
	}
	if err != nil {
		return []finding{problem(check, dir, "it has to be yours: chown -R \"$USER\" "+dir, "can not be read: %v", err)}
	}
	dirs := []string{dir}
	for _, e := range entries {
		if e.IsDir() {
			dirs = append(dirs, filepath.Join(dir, e.Name()))
		}
	}
	var found []finding
	for _, d := range dirs {
		var st unix.Stat_t
		switch err := unix.Lstat(d, &st); {
		case err != nil:
			found = append(found, problem(check, d, "is the disk all right?", "can not be looked at: %v", err))
		case int(st.Uid) != unix.Geteuid():
			found = append(found, problem(check, d, "use it as that user, or give another --state-dir or --cache-dir", "belongs to user %d", st.Uid))
		case st.Mode&0o077 != 0:
			found = append(found, problem(check, d, "chmod 700 "+d, "has mode %04o: others can look into it", st.Mode&0o7777))
		}
	}
	if found == nil {
		return []finding{good(check, dir, "only you can look into it")}
	}
	return found
}

// checkMounts finds what is left of mounts that have died.
func checkMounts() []finding {
	mounts, err := fs.Find()
	if err != nil {
		return []finding{problem("mount", "/proc/self/mountinfo", "is /proc mounted?", "can not be read: %v", err)}
	}
	found := make([]finding, 0, len(mounts))
	for _, m := range mounts {
		if m.Dead {
			found = append(found, problem("mount", m.Dir, "s3levelfs umount "+m.Dir+"; then mount again: what was closed is uploaded",
				"%s: its process has died, programs get \"transport endpoint is not connected\"", m.Source))
			continue
		}
		found = append(found, good("mount", m.Dir, "%s", m.Source))
	}
	return found
}

// tooFarOff is the difference from which on S3 refuses requests. Source: S3 API reference, RequestTimeTooSkewed.
const tooFarOff = 15 * time.Minute

// clockFinding judges the difference to a server's clock, which is told in seconds.
func clockFinding(server string, ours, theirs time.Time) finding {
	off := ours.Sub(theirs).Round(time.Second)
	const mend = "set it: timedatectl set-ntp true"
	switch {
	case off.Abs() >= tooFarOff:
		return problem("clock", server, mend, "this machine's clock is off by %v: S3 refuses requests that are 15 minutes off", off)
	case off.Abs() >= time.Minute:
		return problem("clock", server, mend, "this machine's clock is off by %v: times of files are wrong, and credentials seem to last longer or shorter", off)
	}
	return good("clock", server, "this machine's clock agrees")
}
