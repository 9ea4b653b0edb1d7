package uploader_test

import (
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// docs/UPLOADER.md, 5d: directories; the levels are in level_test.go.

func inNothing(*cellRig) {}

func mkdir(c *cellRig) { check(c.t, c.u.Mkdir(c.t.Context(), key("d"), store.Headers{})) }

func rmdir(c *cellRig) { check(c.t, c.u.Rmdir(c.t.Context(), key("d"), c.stored(key("d/")))) }

func storedDir(c *cellRig) { c.mem.PutString(key("d/"), "") }

// renameDir renames "d", of which the store has the marker and one file, to "e".
func renameDir(c *cellRig) {
	var entries []uploader.DirEntry
	for _, k := range c.mem.Keys() {
		o, _ := c.mem.Object(k)
		entries = append(entries, uploader.DirEntry{Key: k, ETag: o.ETag, Size: int64(len(o.Data))})
	}
	check(c.t, c.u.RenameDir(c.t.Context(), key("d"), key("e"), entries))
}

// pendingDir has one of each that can be pending below a directory.
func pendingDir(c *cellRig) {
	for _, name := range []string{"d/stored", "d/gone", "d/over"} {
		c.mem.PutString(key(name), name)
	}
	c.put(key("d/new"), "new")
	c.put(key("d/over"), "overwritten")
	c.remove(key("d/gone"))
	check(c.t, c.u.Mkdir(c.t.Context(), key("d/sub"), store.Headers{}))
}

func TestRulesOfDirectories(t *testing.T) {
	empty := files{"d/": ""}
	moved := files{"e/stored": "d/stored", "e/new": "new", "e/over": "overwritten", "e/sub/": ""}
	runCells(t, []cell{
		{name: "Test_5d_MKDIR_IsOnePut", state: inNothing, event: mkdir, want: empty, asks: "put d/", told: "committed d/"},
		{name: "Test_5d_MKDIR_MadeBySomebodyElse", state: inNothing, event: both(mkdir, storedDir), want: empty, asks: "put d/, head d/"},
		{
			name: "Test_5d_MKDIR_409", state: inNothing, event: answering(op.Put, 1, faultstore.Conflict(), mkdir, nothing),
			want: empty, asks: "head d/, put d/", told: "committed d/",
		},
		{name: "Test_5d_MKDIR_Kill", state: inNothing, event: both(mkdir, onKill), want: empty},
		{name: "Test_5d_RMDIR_BeforeItWasSent", state: mkdir, event: func(c *cellRig) {
			check(c.t, c.u.Rmdir(c.t.Context(), key("d"), absent()))
			time.Sleep(cellSettle)
			c.wantRequests()
		}, want: files{}},
		{name: "Test_5d_RMDIR_IsOneDelete", state: storedDir, event: rmdir, want: files{}, asks: "delete d/"},
		{name: "Test_5d_RENAMEDIR_RekeysAllThatIsPending", state: pendingDir, event: renameDir, want: moved},
		{name: "Test_5d_RENAMEDIR_Kill", state: pendingDir, event: both(renameDir, onKill), want: moved},
		{
			name: "Test_5d_RENAMEDIR_SilentHeadOfAMarker", state: storedDir,
			event: answering(op.Head, 1, faultstore.Stall(), func(c *cellRig) {
				entries := []uploader.DirEntry{{Key: key("d/"), ETag: c.stored(key("d/")).ETag}}
				err := c.u.RenameDir(c.t.Context(), key("d"), key("e"), entries)
				c.refuses(err, store.ErrTransient)
			}, nothing),
			want: empty,
		},
	})
}
