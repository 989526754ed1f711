package disk

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tinykv/tinykv/reliability/load"
	"github.com/tinykv/tinykv/vfs"
)

func TestMain(m *testing.M) {
	load.RunIfChild()
	os.Exit(Main(m))
}

// journaled are the kinds that have a power to cut.
var journaled = []Kind{Ext4, Ext4Small, XFS}

// What the suites lean on: a cut takes what was not synced, bytes and names, and leaves what was.
func TestVolume_ACutTakesWhatWasNotSyncedAndNothingElse(t *testing.T) {
	for _, kind := range journaled {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			v := New(t, Settings{Kind: kind, Bytes: 16 << 20})
			fsys := vfs.OS()
			write := func(name string) vfs.File {
				f, err := fsys.Create(filepath.Join(v.Dir, name))
				v.must(err)
				_, err = f.Write([]byte(name))
				v.must(err)
				return f
			}
			kept := write("kept")
			v.must(errors.Join(kept.Sync(), fsys.SyncDir(v.Dir)))
			_, err := kept.Write(bytes.Repeat([]byte("x"), 10_000))
			v.must(err)
			lost := write("lost")
			v.must(v.Cut())
			if _, err := fsys.Create(filepath.Join(v.Dir, "after")); err == nil {
				t.Error("a file was made after the cut")
			}
			v.must(errors.Join(kept.Close(), lost.Close()))
			v.Remount()
			got, err := os.ReadFile(filepath.Join(v.Dir, "kept"))
			if err != nil || !bytes.HasPrefix(got, []byte("kept")) || bytes.Contains(got, []byte("x")) {
				t.Errorf("what was synced is %.20q, %v", got, err)
			}
			if _, err := os.Stat(filepath.Join(v.Dir, "lost")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("what was not synced: %v", err)
			}
		})
	}
}

// A file that is open keeps its volume from being unmounted, so that Unmount finds leaks.
func TestVolume_WithAnOpenFileCannotBeUnmounted(t *testing.T) {
	v := New(t, Settings{Kind: Ext4, Bytes: 8 << 20})
	f, err := os.Create(filepath.Join(v.Dir, "open"))
	v.must(err)
	if err := unix.Unmount(v.Dir, 0); !errors.Is(err, unix.EBUSY) {
		t.Error(err)
	}
	v.must(f.Close())
	v.Remount()
}
