package headers

import (
	"github.com/s3levelfs/s3levelfs/internal/transfer"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/tests/mount"
)

// copyLimit is a store that copies so many bytes at most in one request, so that what is larger is copied by parts.
type copyLimit struct {
	store.Store
	most int64
}

func (l copyLimit) Limits() store.Limits {
	limits := l.Store.Limits()
	limits.MaxCopy = l.most
	return limits
}

// copyOperations are cp and mv: in a level, across levels, onto what is not there, by parts.
func copyOperations() []operation {
	const most = 8 << 20 // bytes of one copy: a large object is three parts
	across := func(string) string { return "private/" + mount.Identity + "/copied" }
	beside := func(dir string) string { return dir + "/copied" }
	var all []operation
	for _, verb := range []struct {
		name string
		do   func(c *transfer.Client, r *rig, from, to string, cond store.Cond) (transfer.Stored, error)
	}{
		{"cp", func(c *transfer.Client, r *rig, from, to string, cond store.Cond) (transfer.Stored, error) {
			return c.Copy(r.Context(), from, to, cond)
		}},
		{"mv", func(c *transfer.Client, r *rig, from, to string, cond store.Cond) (transfer.Stored, error) {
			return c.Move(r.Context(), from, to, cond)
		}},
	} {
		for _, way := range []struct {
			name string
			size int
			to   func(dir string) string
			cond store.Cond
		}{
			{" in a level", small, beside, store.Cond{}},
			{" across levels", small, across, store.Cond{}},
			{" if absent", small, beside, store.Cond{IfNoneMatch: true}},
			{" of an empty object if absent", 0, beside, store.Cond{IfNoneMatch: true}},
			{" by parts", large, beside, store.Cond{}},
			{" by parts across levels", large, across, store.Cond{}},
		} {
			all = append(all, operation{verb.name + way.name, way.size, func(r *rig, dir string) string {
				_, err := verb.do(transfer.New(copyLimit{r.st, most}, transfer.Config{}), r, dir+"/f", way.to(dir), way.cond)
				r.must(err)
				return way.to(dir)
			}})
		}
	}
	return all
}
