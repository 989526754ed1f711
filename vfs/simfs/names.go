package simfs

import (
	"path/filepath"
	"slices"
)

// tree leads from cleaned paths to files and directories. The roots of all paths are not in it.
type tree map[string]*inode

// isDir tells whether a path leads to a directory. The roots of all paths do.
func (t tree) isDir(path string) bool {
	if isRoot(path) {
		return true
	}
	node := t[path]
	return node != nil && node.isDir
}

func isRoot(path string) bool { return path == filepath.Dir(path) }

// list returns the sorted names in a directory.
func (t tree) list(dir string) []string {
	var names []string
	for path := range t {
		if filepath.Dir(path) == dir {
			names = append(names, filepath.Base(path))
		}
	}
	slices.Sort(names)
	return names
}

// nameSet is a set of paths.
type nameSet map[string]bool

// nameOp is one operation on names that has not been synced.
//
//	creation  newName leads to node
//	removal   oldName leads nowhere
//	rename    both, at once
type nameOp struct {
	index    int    // of the call
	oldName  string // path; empty for a creation
	newName  string // path; empty for a removal
	node     *inode // what oldName led to, or newName leads to
	replaced *inode // what newName led to before a rename, or nil

	// parted tells that an earlier operation on one of the names was forgotten by a failed sync. Then nothing can
	// be concluded from what the disk has there: the operation replaces it, whatever it is.
	parted bool
}

// apply carries the operation out on t. It does nothing and returns false where the operation
// cannot have happened without an earlier one that did not reach t: where oldName does not lead to
// the file, where newName still leads to another, where a directory to be removed still has names.
// So a file whose name was synced cannot vanish because another one takes its name.
func (o *nameOp) apply(t tree) bool {
	if !o.parted && !o.follows(t) {
		return false
	}
	delete(t, o.oldName)
	if o.newName != "" {
		t[o.newName] = o.node
	}
	return true
}

// follows tells whether the names in t are as the operation found them.
func (o *nameOp) follows(t tree) bool {
	if o.oldName != "" && t[o.oldName] != o.node {
		return false
	}
	if there := t[o.newName]; there != nil && there != o.replaced {
		return false
	}
	return o.newName != "" || !o.node.isDir || len(t.list(o.oldName)) == 0
}

// touches returns the paths of the operation and the directories that they are in; some are empty.
func (o *nameOp) touches() [4]string {
	touched := [4]string{0: o.oldName, 1: o.newName}
	if o.oldName != "" {
		touched[2] = filepath.Dir(o.oldName)
	}
	if o.newName != "" {
		touched[3] = filepath.Dir(o.newName)
	}
	return touched
}

// settleLocked takes the unsynced operations on names that belong to path, a directory or one name,
// off the list and returns them, oldest first. With an operation that belongs to two directories go
// those before it in the other one, since it may lean on them.
func (f *FS) settleLocked(path string) []nameOp {
	paths := map[string]bool{path: true}
	var settled, rest []nameOp
	for _, op := range slices.Backward(f.names) {
		touched := op.touches()
		if !slices.ContainsFunc(touched[:], func(p string) bool { return paths[p] }) {
			rest = append(rest, op)
			continue
		}
		settled = append(settled, op)
		for _, p := range touched {
			if p != "" {
				paths[p] = true
			}
		}
	}
	slices.Reverse(settled)
	slices.Reverse(rest)
	f.names = rest
	return settled
}

// syncNamesLocked brings the operations on names that belong to path to the disk.
func (f *FS) syncNamesLocked(path string) {
	for _, op := range f.settleLocked(path) {
		op.apply(f.disk)
		delete(f.parted, op.oldName)
		delete(f.parted, op.newName)
	}
}

// forgetNamesLocked does to them what a failed sync does that forgets what it was to bring to the disk.
func (f *FS) forgetNamesLocked(path string) {
	if f.parted == nil {
		f.parted = nameSet{}
	}
	for _, op := range f.settleLocked(path) {
		for _, name := range []string{op.oldName, op.newName} {
			if name != "" {
				f.parted[name] = true
			}
		}
	}
}
