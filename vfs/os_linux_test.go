package vfs_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tinykv/tinykv/vfs"
)

func TestOS_PopulateTakesAnyRange(t *testing.T) {
	const sizeBytes = 3*4096 + 5
	m := mapFile(t, filepath.Join(t.TempDir(), "a"), sizeBytes)
	for _, r := range []struct{ off, n int64 }{
		{0, sizeBytes},
		{1, 1},
		{4095, 2},
		{sizeBytes - 1, 1},
		{sizeBytes - 1, 1 << 40},
		{sizeBytes, 0},
		{sizeBytes, 10},
		{sizeBytes + 4096, 10},
		{0, 0},
		{-1, 2},
		{10, -5},
	} {
		if err := m.Populate(r.off, r.n); err != nil {
			t.Errorf("Populate(%d, %d): %v", r.off, r.n, err)
		}
		m.Announce(r.off, r.n)
	}
}

// TestOS_AFileCutUnderItsMappingIsAnError: the kernel answers a touch with a signal.
func TestOS_AFileCutUnderItsMappingIsAnError(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a")
	m := mapFile(t, name, 1<<20)
	if err := os.Truncate(name, 4096); err != nil {
		t.Fatal(err)
	}
	if _, err := m.ReadAt(make([]byte, 10), 100); err != nil {
		t.Errorf("what is left: %v", err)
	}
	if _, err := m.ReadAt(make([]byte, 10), 1<<19); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("what is gone: %v", err)
	}
	if err := m.Populate(1<<19, 10); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("populate: %v", err)
	}
}

// A disk that cannot be read says the same to who touches a mapping as to who makes a system call. Here a file is cut, but that cannot be told from
// its name any more.
func TestOS_AMappingThatCannotBeReadIsAnIOError(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a")
	m := mapFile(t, name, 1<<20)
	if err := errors.Join(os.Truncate(name, 0), os.Remove(name)); err != nil {
		t.Fatal(err)
	}
	if _, err := m.ReadAt(make([]byte, 10), 1<<19); !errors.Is(err, syscall.EIO) {
		t.Errorf("read: %v", err)
	}
	if err := m.Populate(1<<19, 10); !errors.Is(err, syscall.EIO) {
		t.Errorf("populate: %v", err)
	}
}

func TestOS_ALogCutUnderItsMappingIsAnError(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a")
	log, err := vfs.OS().CreateLog(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	if err := log.Extend(1 << 20); err != nil {
		t.Fatal(err)
	}
	if kind, _ := vfs.OS().Type(filepath.Dir(name)); kind != "ext4" && kind != "xfs" && kind != "tmpfs" {
		t.Skipf("logs are not mapped on %s", kind)
	}
	if err := os.Truncate(name, 0); err != nil {
		t.Fatal(err)
	}
	if err := log.WriteMapped([]byte("x"), 1<<19); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("write: %v", err)
	}
}

func TestOS_CacheIDIsKnown(t *testing.T) {
	if len(vfs.OS().CacheID(t.TempDir())) < 32 {
		t.Errorf("boot id %q", vfs.OS().CacheID(t.TempDir()))
	}
}

func mapFile(t *testing.T, name string, sizeBytes int) vfs.Mapping {
	t.Helper()
	if err := os.WriteFile(name, make([]byte, sizeBytes), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := vfs.OS().Map(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}
