package disk

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAllocated_IsWhatFilesTakeNotWhatTheySay(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "full"), 1<<20)
	if err := os.Mkdir(filepath.Join(dir, "below"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "below", "full"), 1<<20)
	sparse, err := os.Create(filepath.Join(dir, "sparse"))
	if err != nil {
		t.Fatal(err)
	}
	if err := sparse.Truncate(1 << 30); err != nil {
		t.Fatal(err)
	}
	if err := sparse.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := Allocated(dir)
	if err != nil || got < 2<<20 || got > 3<<20 {
		t.Errorf("%d bytes, %v, want the two MiB of the full files", got, err)
	}
}

// The device may be that of nothing (tmpfs); where there is one, what a file takes has been written by the second call.
func TestWritten_CountsWhatCameBetweenTwoCalls(t *testing.T) {
	dir := t.TempDir()
	before, err := Written(dir)
	if err != nil {
		t.Fatal(err)
	}
	const bytes = 8 << 20
	write(t, filepath.Join(dir, "file"), bytes)
	after, err := Written(dir)
	if err != nil {
		t.Fatal(err)
	}
	if before != 0 && after-before < bytes {
		t.Errorf("%d bytes written, want at least the file's %d", after-before, bytes)
	}
}

func TestSectorsWritten_IsTheSeventhNumber(t *testing.T) {
	if got := sectorsWritten("   10 0 20 1 30 2 4096 5 0 6 7\n"); got != 4096 {
		t.Errorf("%d", got)
	}
	if got := sectorsWritten("1 2 3"); got != 0 {
		t.Errorf("%d of a line that is too short", got)
	}
}

func write(t *testing.T, name string, n int) {
	t.Helper()
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i * 7)
	}
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
