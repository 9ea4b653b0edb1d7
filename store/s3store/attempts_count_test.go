package s3store_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/s3store"
)

// TestAttempts: of each kind of request exactly so many are sent to a server that answers 503: of one that reads as many as Config.MaxAttempts says,
// 4 if it says nothing, which is Amplify's documented rule; of one that changes something one, as the uploader repeats those by the same rule, after it has
// looked whether the first was carried out.
func TestAttempts(t *testing.T) {
	t.Parallel()
	for _, most := range []int{0, 1, 2} {
		reads := most
		if most == 0 {
			reads = 4
		}
		for name, call := range map[string]struct {
			send func(ctx context.Context, s *s3store.Store) error
			want int
		}{
			"head": {func(ctx context.Context, s *s3store.Store) error {
				_, err := s.Head(ctx, "k", store.Cond{})
				return err
			}, reads},
			"get": {func(ctx context.Context, s *s3store.Store) error {
				_, _, err := s.Get(ctx, "k", store.All, store.Cond{})
				return err
			}, reads},
			"list": {func(ctx context.Context, s *s3store.Store) error {
				for _, err := range s.List(ctx, "p/", store.ListOptions{}) {
					return err
				}
				return nil
			}, reads},
			"put": {func(ctx context.Context, s *s3store.Store) error {
				_, err := s.Put(ctx, "k", section("x"), store.Headers{}, store.Cond{})
				return err
			}, 1},
			"copy": {func(ctx context.Context, s *s3store.Store) error {
				_, err := s.Copy(ctx, store.CopyRequest{Source: "a", Target: "k", Headers: &store.Headers{}})
				return err
			}, 1},
			"delete": {func(ctx context.Context, s *s3store.Store) error { return s.Delete(ctx, "k", store.Cond{}) }, 1},
			"delete-many": {func(ctx context.Context, s *s3store.Store) error {
				_, err := s.DeleteMany(ctx, []string{"a", "b"})
				return err
			}, 1},
			"create": {func(ctx context.Context, s *s3store.Store) error {
				_, err := s.Create(ctx, "k", store.Headers{})
				return err
			}, 1},
			"upload-part": {func(ctx context.Context, s *s3store.Store) error {
				_, err := s.UploadPart(ctx, "k", "id", 1, section("x"))
				return err
			}, 1},
			"copy-part": {func(ctx context.Context, s *s3store.Store) error {
				_, err := s.CopyPart(ctx, "k", "id", 1, "a", "", store.All)
				return err
			}, 1},
			"complete": {func(ctx context.Context, s *s3store.Store) error {
				_, err := s.Complete(ctx, "k", "id", []store.Part{{Number: 1, ETag: "e"}}, store.Cond{})
				return err
			}, 1},
			"abort": {func(ctx context.Context, s *s3store.Store) error { return s.Abort(ctx, "k", "id") }, 1},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				f := newFake(t, func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusServiceUnavailable, "SlowDown") })
				s := open(t, f.URL, func(c *s3store.Config) { c.MaxAttempts = most })
				if err := call.send(t.Context(), s); err == nil {
					t.Error("no error")
				}
				if got := len(f.requests()); got != call.want {
					t.Errorf("max attempts %d: %d requests, want %d", most, got, call.want)
				}
			})
		}
	}
}
