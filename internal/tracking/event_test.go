package tracking_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/internal/tracking"
)

// The records are Amplify's to the letter; what is no download has no metrics.
func TestRecordsAreAmplifys(t *testing.T) {
	why := errors.New("no")
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		r := tracking.New(s, zap.NewNop())
		time.Sleep(1500 * time.Millisecond) // of the bubble's clock, which begins at 2000-01-01
		for _, e := range []tracking.Event{
			tracking.Of(tracking.Put, nil), tracking.Of(tracking.Put, why), tracking.Of(tracking.Remove, nil), tracking.Of(tracking.List, nil),
			tracking.Of(tracking.Copy, why), tracking.Of(tracking.GetProperties, nil), tracking.Of(tracking.Get, nil),
			tracking.Download(0, nil), tracking.Download(7, nil), tracking.Download(7, why),
		} {
			r.Track(e)
		}
		r.Close()
		record := func(method, result, metrics string) string {
			return fmt.Sprintf(`{"name":"Storage","attributes":{"method":%q,"result":%q}%s,"timestamp":"2000-01-01T00:00:01.500Z"}`, method, result, metrics)
		}
		want := []string{
			record("put", "success", ""), record("put", "failed", ""), record("remove", "success", ""), record("list", "success", ""),
			record("copy", "failed", ""), record("getProperties", "success", ""), record("get", "success", ""),
			record("get", "success", `,"metrics":{"fileSize":0}`), record("get", "success", `,"metrics":{"fileSize":7}`), record("get", "failed", ""),
		}
		var got []string
		for _, e := range s.events() {
			text, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(text))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if text := tracking.Of(tracking.Put, why).String(); text != "Storage > put > failed" {
			t.Error(text)
		}
	})
}
