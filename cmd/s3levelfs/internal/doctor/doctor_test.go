package doctor

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/control"
	"github.com/s3levelfs/s3levelfs/internal/config"
	"github.com/s3levelfs/s3levelfs/internal/telemetry"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// want compares a finding's level and parts of its value and mend.
func (f finding) want(t *testing.T, level, value, mend string) {
	t.Helper()
	if f.Level != level || !strings.Contains(f.Value, value) || !strings.Contains(f.Mend, mend) {
		t.Errorf("%+v, want %s with %q, mend %q", f, level, value, mend)
	}
	if f.Level == levelProblem && (f.Check == "" || f.Thing == "" || f.Value == "" || f.Mend == "") {
		t.Errorf("%+v: a problem names thing, value and mend", f)
	}
}

func TestDoctorOfTheMachine(t *testing.T) {
	dir := t.TempDir()
	checkDevice(filepath.Join(dir, "fuse")).want(t, levelProblem, "does not exist", "modprobe fuse")
	checkDevice(dir).want(t, levelProblem, "can not be opened", "modprobe")
	device := filepath.Join(dir, "device")
	if err := os.WriteFile(device, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	checkDevice(device).want(t, levelOK, "can be opened", "")

	checkHelper("", false, 1000).want(t, levelProblem, "only root can mount", "install")
	checkHelper("", false, 0).want(t, levelOK, "root does not need it", "")
	checkHelper(device, true, 1000).want(t, levelProblem, "not set-user-id", "chmod 4755 "+device)
	checkHelper(device, true, 0).want(t, levelOK, "is installed", "")
	if err := os.Chmod(device, 0o755|os.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	checkHelper(device, true, 1000).want(t, levelOK, "is installed", "")

	openFilesFinding(1024).want(t, levelProblem, "1024", "ulimit -Hn")
	openFilesFinding(65536).want(t, levelOK, "65536", "")
}

func TestDoctorOfAllowOther(t *testing.T) {
	conf := filepath.Join(t.TempDir(), "fuse.conf")
	checkAllowOther(conf, 0).want(t, levelOK, "root", "")
	checkAllowOther(conf, 1000).want(t, levelProblem, "lacks user_allow_other", "echo user_allow_other >> "+conf)
	for text, level := range map[string]string{
		"# user_allow_other\nmount_max = 1000\n": levelProblem, "mount_max=1\n user_allow_other # yes\n": levelOK, "user_allow_others\n": levelProblem,
	} {
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		checkAllowOther(conf, 1000).want(t, level, "user_allow_other", "")
	}
}

func TestDoctorOfDirectories(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	everything := func(total int64) int64 { return total }
	checkRoom("state directory", filepath.Join(dir, "not", "there"), everything, "make room").want(t, levelProblem, "its disk is full", "make room")
	checkRoom("state directory", dir, func(int64) int64 { return 0 }, "make room").want(t, levelOK, "free", "")
	checkPrivate("state directory", dir)[0].want(t, levelOK, "not made yet", "")
	if err := errors.Join(os.MkdirAll(filepath.Join(dir, "a"), 0o700), os.Mkdir(filepath.Join(dir, "b"), 0o700)); err != nil {
		t.Fatal(err)
	}
	checkPrivate("state directory", dir)[0].want(t, levelOK, "only you", "")
	if err := os.Chmod(filepath.Join(dir, "b"), 0o750); err != nil {
		t.Fatal(err)
	}
	found := checkPrivate("state directory", dir)
	if len(found) != 1 {
		t.Fatalf("%+v", found)
	}
	found[0].want(t, levelProblem, "0750", "chmod 700 "+filepath.Join(dir, "b"))
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	if f, volatile := checkVolatile(dir); volatile != (st.Type == unix.TMPFS_MAGIC) || volatile && f.Level != levelNote {
		t.Errorf("in memory: %v, %+v", volatile, f)
	}
}

func TestDoctorOfClocks(t *testing.T) {
	now := time.Now()
	for off, level := range map[time.Duration]string{
		0: levelOK, 30 * time.Second: levelOK, -2 * time.Minute: levelProblem, 20 * time.Minute: levelProblem, -time.Hour: levelProblem,
	} {
		clockFinding("server", now.Add(off), now).want(t, level, "clock", map[string]string{levelProblem: "timedatectl"}[level])
	}
}

func TestMountCommandOfASpool(t *testing.T) {
	owner := func(c config.Config, id string) config.Owned {
		o, ok := config.ParseOwner(c.Owner(id))
		if !ok {
			t.Fatalf("%+v", c)
		}
		return o
	}
	for want, o := range map[string]config.Owned{
		"s3levelfs mount --local /data DIR":                                          owner(config.Config{Local: "/data"}, "id"),
		"s3levelfs mount --bucket b --guest DIR":                                     owner(config.Config{Bucket: "b"}, ""),
		"s3levelfs mount --bucket b --endpoint http://h:1 --identity-id 'r:i d' DIR": owner(config.Config{Bucket: "b", Endpoint: "http://h:1"}, "r:i d"),
		"s3levelfs mount --bucket b --identity-id i --public-prefix '' DIR":          owner(config.Config{Bucket: "b", PublicPrefix: config.OptString{Set: true}}, "i"),
		`s3levelfs mount --bucket b --identity-id i --private-prefix 'it'\''s/' DIR`: owner(config.Config{Bucket: "b", PrivatePrefix: config.OptString{Set: true, Value: "it's/"}}, "i"),
	} {
		if got := mountCommandOf(o); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// A spool of thousands of failures is a few lines.
func TestDoctorOfManyFailures(t *testing.T) {
	items, kept := make([]telemetry.Item, 500), make([]telemetry.Kept, 500)
	for i := range items {
		items[i] = telemetry.Item{Key: "k", What: "put", Error: "refused", Size: 1, Since: time.Unix(int64(i), 0)}
		kept[i] = telemetry.Kept{Key: "k", Generation: "G", Reason: control.ReasonBaseLost}
	}
	found := pendingFindings("dir", items, "mend", false)
	if len(found) != maxNamed+2 {
		t.Fatalf("%d findings", len(found))
	}
	found[maxNamed].want(t, levelProblem, "480 more have failed", "spool ls")
	found[maxNamed+1].want(t, levelProblem, "500 changes not uploaded yet (500 B), the oldest since "+time.Unix(0, 0).Format(time.DateTime), "mend")
	if found := keptFindings(kept); len(found) != maxNamed+1 {
		t.Errorf("%d findings", len(found))
	}
	if found := pendingFindings("dir", make([]telemetry.Item, 3), "mend", true); found != nil {
		t.Errorf("what a mount is about to upload: %+v", found)
	}
}

// A damaged log is a problem, with what was behind the damage; the end that a crash has torn is none.
func TestDoctorOfADamagedLog(t *testing.T) {
	why := "the log of the spool is damaged"
	found := keptFindings([]telemetry.Kept{{Key: "private/i/f", Generation: "G", Reason: "quarantined", Why: why}, {Generation: "H", Reason: "quarantined", Why: why}})
	if len(found) != 2 {
		t.Fatalf("%+v", found)
	}
	found[0].want(t, levelProblem, why, "spool export G")
	found[1].want(t, levelProblem, why, "spool export H")
	if found[0].Thing != "private/i/f" || found[1].Thing != control.Nameless {
		t.Errorf("%+v", found)
	}
	tornFinding("dir", &spool.View{Torn: 7}).want(t, levelNote, "7 torn bytes", "the next mount cuts it")
	tornFinding("dir", &spool.View{Torn: 700, Salvaged: make([]spool.Record, 1)}).want(t, levelProblem, "damaged 700 bytes before its end", "check the disk")
}
