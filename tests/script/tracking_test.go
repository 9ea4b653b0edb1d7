package script

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// posts takes the events that a webhook, or Kinesis, is sent.
type posts struct {
	mu     sync.Mutex
	events []string // method and result
	auth   string
	down   bool // it refuses all for the moment
}

func (p *posts) note(docs ...json.RawMessage) {
	for _, d := range docs {
		var e struct {
			Attributes struct{ Method, Result string }
		}
		if err := json.Unmarshal(d, &e); err != nil {
			e.Attributes.Method = err.Error()
		}
		p.events = append(p.events, e.Attributes.Method+" "+e.Attributes.Result)
	}
}

func (p *posts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.auth = r.Header.Get("Authorization")
	if p.down {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if r.Header.Get("X-Amz-Target") == "" {
		var batch []json.RawMessage
		_ = json.NewDecoder(r.Body).Decode(&batch) // an empty batch is missed in the end
		p.note(batch...)
		return
	}
	var in struct{ Records []struct{ Data []byte } }
	_ = json.NewDecoder(r.Body).Decode(&in) // as above
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	for _, rec := range in.Records {
		p.note(rec.Data)
	}
	_, _ = fmt.Fprintf(w, `{"FailedRecordCount":0,"Records":[%s]}`, strings.TrimSuffix(strings.Repeat(`{"SequenceNumber":"1","ShardId":"s"},`, len(in.Records)), ","))
}

// TestTrackingReachesItsSinks: a mount posts to a webhook with the token of the environment, or sends to Kinesis, signed; what waits at the
// unmount is sent before the process ends. A sink that is down holds nobody up and shows in status and metrics, and no log has the token.
func TestTrackingReachesItsSinks(t *testing.T) {
	for name, to := range map[string]string{"webhook": "/hook?key=hidden", "kinesis": "kinesis:storage"} {
		t.Run(name, func(t *testing.T) {
			p := &posts{down: true}
			server := httptest.NewServer(p)
			t.Cleanup(server.Close)
			t.Setenv("S3LEVELFS_TRACK_TOKEN", "hidden")
			t.Setenv("AWS_ENDPOINT_URL_KINESIS", server.URL)
			t.Setenv("AWS_REGION", "us-east-1")
			if name == "webhook" {
				to = server.URL + to
			}
			b := newBucketMount(t, "--track-to", to)
			if err := os.WriteFile(b.private("f"), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
			b.ok(t, "sync", b.Dir)
			if _, err := os.ReadFile(b.private("f")); err != nil {
				t.Fatal(err)
			}
			until(t, "the sink's outage is told", func() bool {
				return strings.Contains(b.ok(t, "status", b.Dir), "last error: "+name)
			})
			p.mu.Lock()
			p.down = false
			p.mu.Unlock()
			if err := os.Remove(b.private("f")); err != nil {
				t.Fatal(err)
			}
			b.Unmount(t)
			p.mu.Lock()
			defer p.mu.Unlock()
			slices.Sort(p.events)
			if diff := cmp.Diff([]string{"get success", "put success", "remove success"}, p.events); diff != "" {
				t.Error(diff)
			}
			if want := map[string]string{"webhook": "Bearer hidden", "kinesis": "AWS4-HMAC-SHA256 "}[name]; !strings.HasPrefix(p.auth, want) {
				t.Errorf("authorized by %q", p.auth)
			}
			if strings.Contains(b.Log(), "hidden") {
				t.Errorf("the log: %s", b.Log())
			}
		})
	}
}
