package simfs

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tinykv/tinykv/vfs"
)

// sectorBytes is the smallest piece of a write that is lost alone.
const sectorBytes = 512

// Allows returns nil when a power cut at this moment may leave what another file system holds below a
// directory, and otherwise tells what cannot have come to be. It is how the model is held against real disks.
//
// Whatever a policy chooses is allowed, and every other choice by the same rules, in pieces of 512 bytes; but not the noise of
// [Garbled]. Nothing is enumerated: files are judged one by one, and names are followed through the unsynced
// operations, where only what does not contradict yet is followed on.
func (f *FS) Allows(found vfs.FS, top string) error {
	s := search{fork: f.fork(), there: map[string]leftover{}, fits: map[leaf]error{}}
	top = filepath.Clean(top)
	if err := readTree(found, top, s.there); err != nil {
		return err
	}
	return s.run(top)
}

// leftover is what a path leads to after a cut.
type leftover struct {
	isDir bool
	bytes []byte
}

// readTree notes everything below a directory.
func readTree(fsys vfs.FS, dir string, into map[string]leftover) error {
	names, err := fsys.List(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		path := filepath.Join(dir, name)
		info, err := fsys.Stat(path)
		if err != nil {
			return err
		}
		if info.IsDir {
			into[path] = leftover{isDir: true}
			if err := readTree(fsys, path, into); err != nil {
				return err
			}
			continue
		}
		bytes, err := readFile(fsys, path, info.SizeBytes)
		if err != nil {
			return err
		}
		into[path] = leftover{bytes: bytes}
	}
	return nil
}

func readFile(fsys vfs.FS, path string, size int64) ([]byte, error) {
	f, err := fsys.Open(path)
	if err != nil {
		return nil, err
	}
	bytes := make([]byte, size)
	_, err = io.ReadFull(io.NewSectionReader(f, 0, size), bytes)
	return bytes, errors.Join(err, f.Close())
}

// leaf is the question whether a path may lead to a file.
type leaf struct {
	path string
	node *inode
}

// search looks for a choice of operations that leaves what is there.
type search struct {
	fork  *FS
	there map[string]leftover
	fits  map[leaf]error // answers
}

// run follows all trees that the operations on names may have made, and drops those that have something else under a
// path that no later operation changes.
func (s *search) run(top string) error {
	last := map[string]int{} // the last operation on a path
	for i, op := range s.fork.names {
		last[op.oldName], last[op.newName] = i, i
	}
	for path := range merged(s.fork.disk, s.there) {
		if _, moves := last[path]; below(top, path) && !moves {
			if err := s.fit(path, s.fork.disk[path]); err != nil {
				return err
			}
		}
	}
	trees := []tree{s.fork.disk}
	for i, op := range s.fork.names {
		trees = branch(&op, trees)
		for _, path := range []string{op.oldName, op.newName} {
			if path == "" || last[path] != i || !below(top, path) {
				continue
			}
			var misfits []error
			if trees, misfits = s.fitting(trees, path); len(trees) == 0 {
				return fmt.Errorf("whichever of the unsynced operations on names reached the disk: %w", errors.Join(misfits...))
			}
		}
	}
	return nil
}

// fitting returns the trees that may have at a path what is there, and why others may not.
func (s *search) fitting(trees []tree, path string) (fitting []tree, misfits []error) {
	for _, t := range trees {
		switch err := s.fit(path, t[path]); {
		case err == nil:
			fitting = append(fitting, t)
		case !slices.Contains(misfits, err):
			misfits = append(misfits, err)
		}
	}
	return fitting, misfits
}

// below tells whether a path lies in a directory or one of its own.
func below(dir, path string) bool {
	return isRoot(dir) || strings.HasPrefix(path, dir+string(filepath.Separator))
}

// merged returns the paths of both.
func merged(t tree, there map[string]leftover) map[string]bool {
	paths := make(map[string]bool, len(t)+len(there))
	for path := range t {
		paths[path] = true
	}
	for path := range there {
		paths[path] = true
	}
	return paths
}

// branch returns the trees before an operation, and those that it makes of them, each once.
func branch(op *nameOp, before []tree) (after []tree) {
	after = slices.Clone(before)
	for _, t := range before {
		t = maps.Clone(t)
		same := func(o tree) bool { return maps.Equal(o, t) }
		if op.apply(t) && !slices.ContainsFunc(after, same) {
			after = append(after, t)
		}
	}
	return after
}

// fit tells why what a path leads to cannot be the given file, or directory, or nothing.
func (s *search) fit(path string, node *inode) error {
	question := leaf{path, node}
	err, answered := s.fits[question]
	if !answered {
		err = s.judge(path, node)
		s.fits[question] = err
	}
	return err
}

func (s *search) judge(path string, node *inode) error {
	there, ok := s.there[path]
	switch {
	case !ok && node == nil:
		return nil
	case !ok:
		return fmt.Errorf("%s is gone", path)
	case node == nil:
		return fmt.Errorf("%s is there", path)
	case there.isDir != node.isDir:
		return fmt.Errorf("%s is a directory: %v", path, there.isDir)
	}
	if err := node.mayHold(there.bytes); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// mayHold tells why a power cut cannot leave such bytes of a file. It may end anywhere between the synced length and the newest. Sectors are judged from the newest operation to the
// oldest: one that left nothing but what is there is taken to have reached the disk, since that asks least of
// those before it.
func (n *inode) mayHold(found []byte) error {
	size := int64(len(found))
	if size < n.disk.size {
		return fmt.Errorf("%d bytes are there, %d were synced", size, n.disk.size)
	}
	longest, explained := n.disk.size, make([]bool, size)
	for _, d := range slices.Backward(n.pending) {
		longest = max(longest, d.off+d.n)
		for off := d.off; off < min(d.off+d.n, size); {
			end := (off/sectorBytes + 1) * sectorBytes
			part := d.slice(off, min(end, size)) // no more of a sector than the file has
			part.explain(found, explained)
			off = end
		}
	}
	if size > longest {
		return fmt.Errorf("%d bytes are there, never were more than %d", size, longest)
	}
	synced := make([]byte, size)
	_, _ = n.disk.readAt(synced, 0) // behind its end there are zeros
	for i, b := range found {
		if !explained[i] && b != synced[i] {
			return fmt.Errorf("byte %d is %#02x, was %#02x when synced, and no operation since left that", i, b, synced[i])
		}
	}
	return nil
}

// explain marks the bytes that the operation stored as explained, if they are all there but for those that a newer one explains.
// Growth stores nothing.
func (d *dataOp) explain(found []byte, explained []bool) {
	for i, b := range d.data {
		if at := d.off + int64(i); !explained[at] && found[at] != b {
			return
		}
	}
	for i := range d.data {
		explained[d.off+int64(i)] = true
	}
}
