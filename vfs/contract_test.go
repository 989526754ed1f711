package vfs_test

import (
	"testing"

	"github.com/tinykv/tinykv/internal/enginetest"
	"github.com/tinykv/tinykv/vfs"
)

func TestOS_KeepsTheContract(t *testing.T) {
	enginetest.FSContract(t, func(t *testing.T) (vfs.FS, string) { return vfs.OS(), t.TempDir() })
}

func TestMem_KeepsTheContract(t *testing.T) {
	enginetest.FSContract(t, func(t *testing.T) (vfs.FS, string) {
		fsys := vfs.NewMem()
		if err := fsys.MkdirAll("/db"); err != nil {
			t.Fatal(err)
		}
		return fsys, "/db"
	})
}

func TestMem_KeepsTheContractInTheRoot(t *testing.T) {
	enginetest.FSContract(t, func(*testing.T) (vfs.FS, string) { return vfs.NewMem(), "/" })
}
