package disk

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// What the store has to live with: after a sync that failed a second one succeeds, reads go on showing what was written, and yet
// it is not on the disk.
func TestVolume_ASyncThatFailedSucceedsWhenItIsTriedAgainAndTheBytesAreLost(t *testing.T) {
	v := New(t, Settings{Kind: Ext4, Bytes: 16 << 20})
	v.Allocate()
	name := filepath.Join(v.Dir, "file")
	f, err := os.Create(name)
	v.must(err)
	defer f.Close()
	_, err = f.Write(make([]byte, 16*blockBytes))
	v.must(err)
	v.must(f.Sync())
	if n := v.BreakTail(name); n != 16*blockBytes {
		t.Fatalf("%d bytes are broken", n)
	}
	v.FillGround()
	want := bytes.Repeat([]byte("x"), 16*blockBytes)
	_, err = f.WriteAt(want, 0)
	v.must(err)
	if err := unix.Fdatasync(int(f.Fd())); err == nil {
		t.Fatal("a sync to broken blocks succeeded")
	}
	v.FreeGround()
	if err := unix.Fdatasync(int(f.Fd())); err != nil {
		t.Fatalf("this system does not lie: %v", err)
	}
	got, err := os.ReadFile(name)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("the cache lost the bytes at once: %v", err)
	}
	v.DropCaches()
	if got, err := os.ReadFile(name); err != nil || bytes.Contains(got, []byte("x")) {
		t.Errorf("the bytes are on the disk, %v", err)
	}
}
