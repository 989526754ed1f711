package simfs_test

import (
	"testing"

	"github.com/tinykv/tinykv/internal/enginetest"
	"github.com/tinykv/tinykv/vfs"
	"github.com/tinykv/tinykv/vfs/simfs"
)

func TestFS_KeepsTheContract(t *testing.T) {
	enginetest.FSContract(t, func(t *testing.T) (vfs.FS, string) {
		fsys := simfs.New()
		if err := fsys.MkdirAll("/db"); err != nil {
			t.Fatal(err)
		}
		return fsys, "/db"
	})
}

func TestImage_KeepsTheContract(t *testing.T) {
	enginetest.FSContract(t, func(t *testing.T) (vfs.FS, string) {
		m := boot(t, "mkdir /db/sub; log /db/sub/l; extend /db/sub/l 9000; create /db/sub/a; "+
			"remove /db/sub/a; remove /db/sub/l; remove /db/sub; dirsync /db")
		return m.Image(simfs.KillProcess, 1).Image(simfs.KeepAll, 1), "/db"
	})
}
