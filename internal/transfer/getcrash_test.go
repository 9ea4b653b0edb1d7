package transfer_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/s3levelfs/s3levelfs/internal/transfer"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/op"
)

// TestGetAfterPowerLoss: of a file that was on its way when the power went a file system may have the length without the bytes. Where the object
// has no checksum that would tell, what has arrived is not used after another boot; in the same boot it is.
func TestGetAfterPowerLoss(t *testing.T) {
	const pieces = 12
	for name, c := range map[string]struct {
		boot  string
		spoil bool
		most  int // requests of the second get
	}{"the same boot": {"first", false, pieces - 5}, "another boot": {"second", true, pieces}} {
		t.Run(name, func(t *testing.T) {
			mem, data, r := small(), noise(pieces*partSize), root(t)
			mem.PutRaw("k", memstore.Raw{Data: data, ETag: `"0123456789abcdef0123456789abcdef-3"`})
			get := func(ctx context.Context, s store.Store, boot string) error {
				_, err := transfer.New(s, transfer.Config{PartSize: partSize, Boot: boot}).GetFile(ctx, "k", r, "file")
				return err
			}
			ctx, cancel := context.WithCancel(t.Context())
			f := faultstore.New(mem, faultstore.Rule{Op: op.Get, Nth: 10, Fault: faultstore.Do("interrupt", cancel)})
			if err := get(ctx, f, "first"); !errors.Is(err, context.Canceled) {
				t.Fatalf("interrupted: %v", err)
			}
			parts, err := filepath.Glob(filepath.Join(r.Name(), ".s3levelfs-*.part"))
			if err != nil || len(parts) != 1 {
				t.Fatal(parts, err)
			}
			if c.spoil {
				info, err := os.Stat(parts[0])
				if err != nil || info.Size() == 0 {
					t.Fatal(info, err)
				}
				if err := os.WriteFile(parts[0], make([]byte, info.Size()), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			mem.ResetCounts()
			if err := get(t.Context(), mem, c.boot); err != nil {
				t.Fatal(err)
			}
			only(t, r, "file", data)
			if n := mem.Counts()[op.Get]; n > c.most {
				t.Errorf("%d of %d pieces got again", n, pieces)
			}
		})
	}
}

// TestGetsOfOneFileAtATime: many gets of the same file at once make it, or are told that another one does; none spoils it.
func TestGetsOfOneFileAtATime(t *testing.T) {
	mem, data := small(), noise(3*partSize)
	mem.PutString("k", string(data))
	for range 200 {
		r := root(t)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if _, err := client(mem, "").GetFile(t.Context(), "k", r, "file"); err != nil && !errors.Is(err, transfer.ErrBusy) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		only(t, r, "file", data)
	}
}
