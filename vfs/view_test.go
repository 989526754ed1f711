//go:build linux || darwin || windows

package vfs

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/exp/mmap"
)

// TestViewOf_SeesTheMemoryOfAMapping fails when a new version of x/exp/mmap keeps its memory in
// another place. Then every table would be read by system calls: correctly, and slowly.
func TestViewOf_SeesTheMemoryOfAMapping(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789"), 10_000)
	name := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	reader, err := mmap.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	view := viewOf(reader)
	if view == nil {
		t.Fatal("viewOf finds no memory in an mmap.ReaderAt: has package golang.org/x/exp/mmap changed?")
	}
	if !bytes.Equal(view, content) || cap(view) != len(view) {
		t.Error("the view is not the file")
	}
	if err := reader.Close(); err != nil {
		t.Error(err)
	}
	if viewOf(reader) != nil {
		t.Error("a closed reader still has a view")
	}
}

func TestOS_MapIsAMapping(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := OS().Map(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, mapped := m.(*osMapping); !mapped || string(m.Bytes()) != "x" {
		t.Errorf("Map returned a %T with view %q", m, m.Bytes())
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if m.Bytes() != nil {
		t.Error("a closed mapping still lends its memory")
	}
}

// TestViewOf_SamplesLargeFiles takes a file at which 32-bit offsets times sixteen overflow.
func TestViewOf_SamplesLargeFiles(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	const sizeBytes = 200 << 20 // all of it a hole
	if err := f.Truncate(sizeBytes); err != nil {
		t.Skip(err)
	}
	m, err := OS().Map(name)
	if err != nil {
		t.Fatal(err)
	}
	if m.Len() != sizeBytes || m.Bytes() == nil {
		t.Errorf("mapping of %d bytes, view of %d", m.Len(), len(m.Bytes()))
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}
