package control

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/cache/disk"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// told is what status prints of an uploader.
func told(t *testing.T, u uploader.Status) (human, script string) {
	t.Helper()
	s := MountStatus{Uploads: UploadsOf(u)}
	var b bytes.Buffer
	writeStatus(&b, &s)
	text, err := json.Marshal(s.Uploads)
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), string(text)
}

// A store that asks to slow down is seen, and how far that has gone.
func TestStatusOfASlowStore(t *testing.T) {
	human, script := told(t, uploader.Status{Requests: uploader.Window{Size: 16, Most: 16}})
	if strings.Contains(human, "slow") || !strings.Contains(script, `"requests":{"window":16,"most":16,"in_flight":0,"throttled":0}`) {
		t.Errorf("%s\n%s", human, script)
	}
	human, script = told(t, uploader.Status{Requests: uploader.Window{Size: 4, Most: 16, InFlight: 3, Throttled: 12}})
	if !strings.Contains(human, "4 of 16 requests at a time: the store has asked 12 times to slow down") ||
		!strings.Contains(script, `"requests":{"window":4,"most":16,"in_flight":3,"throttled":12}`) {
		t.Errorf("%s\n%s", human, script)
	}
}

// The read cache on disk says how full it is, what is wrong with it, or why there is none.
func TestStatusOfTheDiskCache(t *testing.T) {
	text := func(s MountStatus) string {
		var b bytes.Buffer
		writeStatus(&b, &s)
		return b.String()
	}
	if got := text(MountStatus{NoDisk: "--cache-size 0"}); !strings.Contains(got, "  disk cache   none: --cache-size 0\n") {
		t.Error(got)
	}
	s := MountStatus{Disk: &disk.Stats{Dir: "/d", Size: 10 << 30, Bytes: 3 << 20, Hits: 7}}
	if got := text(s); !strings.Contains(got, "  disk cache   3.0 MiB of 10 GiB in /d, 7 hits\n") || strings.Contains(got, "keeps nothing") || strings.Contains(got, "changed") {
		t.Error(got)
	}
	s.Disk.Full, s.Disk.Bad = "its disk is full", 2
	if got := text(s); !strings.Contains(got, "it keeps nothing new: its disk is full\n") || !strings.Contains(got, "2 blocks could not be read or had changed on the disk") {
		t.Error(got)
	}
	values := map[string]float64{}
	for _, m := range MetricsOf(&s) {
		for label, v := range m.Values {
			values[m.Name+label] = v
		}
	}
	if values["s3levelfs_disk_cache_hits_total"] != 7 || values["s3levelfs_disk_cache_lost_totalbad"] != 2 || values["s3levelfs_disk_cache_bytes"] != 3<<20 {
		t.Errorf("%v", values)
	}
}

// A pause says what is refused, and that it is no loss.
func TestStatusOfAPause(t *testing.T) {
	cause := fmt.Errorf("the store does not accept the credentials: %w", &store.Error{
		Op: "put", Key: "public/f", Kind: store.ErrExpired, Code: "ExpiredToken", Status: 400,
	})
	at := time.Now().Add(40 * time.Second)
	human, script := told(t, uploader.Status{Paused: cause, PausedUntil: at})
	if !strings.Contains(human, "  paused       the store does not accept the credentials: put \"public/f\": credentials have expired (ExpiredToken, HTTP 400)\n") ||
		!strings.Contains(human, "which is asked in 40s\n") && !strings.Contains(human, "which is asked in 39s\n") {
		t.Errorf("%s", human)
	}
	if !strings.Contains(script, `"paused":"the store does not accept the credentials: `) || !strings.Contains(script, `"paused_until":"`) {
		t.Errorf("%s", script)
	}
	human, _ = told(t, uploader.Status{Paused: cause})
	if !strings.Contains(human, "which is asked now\n") {
		t.Errorf("%s", human)
	}
	if human, script = told(t, uploader.Status{}); strings.Contains(human+script, "paused") {
		t.Errorf("%s\n%s", human, script)
	}
}
