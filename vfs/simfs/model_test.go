package simfs

import (
	"bytes"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
)

// promises is a second, naive model of this package: not of what the disk holds, but of what the
// contract promises about it. Any image must keep these promises, which know nothing of policies.
//
//  1. A path leads to what it led to at the last sync of its directory, or to what it led to at
//     some time since. Nothing in between, nothing else.
//  2. No file has two names.
//  3. A file whose name was synced, and that nobody removed or replaced, has a name.
//  4. A file is at least as long as when it was last synced and at most as long as programs saw it.
//     Each of its bytes is the synced one, zero where there is none, or one written there since.
//
// Files are told apart by inode number, which images keep.
type promises struct {
	paths    map[string]*pathPromise
	files    map[int64]*filePromise
	unproven map[string]bool // directories with a failed sync: later ones promise nothing
	crossed  bool            // a file was renamed from one directory to another

	// The model is exact, not only a bound, while nothing has happened that the contract leaves open.
	exactNames bool
	exactBytes bool
}

// pathPromise is what a path leads to, by inode number; 0 is nothing.
type pathPromise struct {
	now    int64
	synced int64
	since  map[int64]bool // with synced and now
}

type filePromise struct {
	isDir    bool
	now      []byte
	synced   []byte
	writes   []write // since the last sync
	unproven bool    // a sync failed: later ones promise nothing
	named    bool    // its name was synced
	removed  bool    // it was removed or replaced at some time
}

type write struct {
	off  int
	data []byte
}

func newPromises() *promises {
	return &promises{
		paths: map[string]*pathPromise{}, files: map[int64]*filePromise{},
		unproven: map[string]bool{}, exactNames: true, exactBytes: true,
	}
}

// promisesAfter is the model of an image: everything in it is synced.
func promisesAfter(image *FS) *promises {
	p := newPromises()
	for _, path := range slices.Sorted(maps.Keys(image.live)) {
		node := image.live[path]
		data := slices.Clone(node.cache.bytes())
		p.files[node.id] = &filePromise{isDir: node.isDir, now: data, synced: data, named: true}
		p.paths[path] = &pathPromise{now: node.id, synced: node.id, since: map[int64]bool{node.id: true}}
	}
	return p
}

func (p *promises) lead(path string, id int64) {
	if p.paths[path] == nil {
		p.paths[path] = &pathPromise{since: map[int64]bool{0: true}}
	}
	if old := p.paths[path].now; old != 0 && id != 0 {
		p.files[old].removed = true
	}
	p.paths[path].now = id
	p.paths[path].since[id] = true
}

func (p *promises) create(path string, id int64) {
	p.files[id] = &filePromise{}
	p.lead(path, id)
}

func (p *promises) mkdir(path string, id int64) {
	if p.paths[path] != nil {
		p.exactNames = false // what was under this path before may or may not be synced with it
	}
	p.files[id] = &filePromise{isDir: true, named: true}
	p.lead(path, id)
	p.paths[path].synced, p.paths[path].since = id, map[int64]bool{id: true}
}

func (p *promises) remove(path string) {
	f := p.files[p.paths[path].now]
	f.removed = true
	p.exactNames = p.exactNames && !f.isDir // the sync of a removed directory brings that of its names
	p.lead(path, 0)
}

func (p *promises) rename(from, to string) {
	id := p.paths[from].now
	p.lead(from, 0)
	p.lead(to, id)
	if filepath.Dir(from) != filepath.Dir(to) {
		p.exactNames, p.crossed = false, true // one sync brings both directories up to date, or fails both
		p.spreadDoubt()
	}
}

func (p *promises) write(id int64, off int, data []byte) {
	f := p.files[id]
	if grow := off + len(data) - len(f.now); grow > 0 {
		f.now = append(slices.Clip(f.now), make([]byte, grow)...)
	}
	f.now = slices.Clone(f.now)
	copy(f.now[off:], data)
	f.writes = append(f.writes, write{off, data})
}

func (p *promises) sync(id int64) {
	if f := p.files[id]; !f.unproven {
		f.synced, f.writes = f.now, nil
	}
}

func (p *promises) syncFailed(id int64) {
	p.files[id].unproven = true
	p.exactBytes = false
}

func (p *promises) syncDir(dir string) {
	if p.unproven[dir] {
		return
	}
	for path, lead := range p.paths {
		if filepath.Dir(path) != dir {
			continue
		}
		lead.synced, lead.since = lead.now, map[int64]bool{lead.now: true}
		if lead.now != 0 {
			p.files[lead.now].named = true
		}
	}
}

func (p *promises) syncDirFailed(dir string) {
	p.unproven[dir] = true
	p.exactNames = false
	p.spreadDoubt()
}

// spreadDoubt carries a failed sync over to the directories that files came from or went to.
func (p *promises) spreadDoubt() {
	if len(p.unproven) == 0 || !p.crossed {
		return
	}
	for _, dir := range walkDirs {
		p.unproven[dir] = true
	}
}

// check tells which promise an image breaks.
func (p *promises) check(image *FS) error {
	pathOf := map[int64]string{}
	for path, node := range image.live {
		lead := p.paths[path]
		if lead == nil || !lead.since[node.id] {
			return fmt.Errorf("1: %s leads to inode %d, which it never did since the sync", path, node.id)
		}
		if other, twice := pathOf[node.id]; twice {
			return fmt.Errorf("2: %s and %s are one file", path, other)
		}
		pathOf[node.id] = path
		if !image.live.isDir(filepath.Dir(path)) {
			return fmt.Errorf("%s lies in no directory", path)
		}
		if err := p.files[node.id].check(image.live[path].cache.bytes()); err != nil {
			return fmt.Errorf("4: %s: %w", path, err)
		}
	}
	for path, lead := range p.paths {
		if image.live[path] == nil && !lead.since[0] {
			return fmt.Errorf("1: %s is gone", path)
		}
	}
	for id, f := range p.files {
		if _, has := pathOf[id]; !has && f.named && !f.removed {
			return fmt.Errorf("3: inode %d has no name any more", id)
		}
	}
	return nil
}

func (f *filePromise) check(content []byte) error {
	if len(content) < len(f.synced) || len(content) > len(f.now) {
		return fmt.Errorf("%d bytes long, not between %d and %d", len(content), len(f.synced), len(f.now))
	}
	expected := make([]byte, len(content))
	copy(expected, f.synced)
	for i, b := range content {
		writtenHere := func(w write) bool { return i >= w.off && i < w.off+len(w.data) && w.data[i-w.off] == b }
		if b != expected[i] && !slices.ContainsFunc(f.writes, writtenHere) {
			return fmt.Errorf("byte %d is %q, which was never written there since the sync", i, b)
		}
	}
	return nil
}

// checkIs tells where an image differs from what programs see, or from what was synced.
func (p *promises) checkIs(image *FS, synced bool) error {
	for path, lead := range p.paths {
		id := lead.now
		if synced {
			id = lead.synced
		}
		node := image.live[path]
		if (node == nil) != (id == 0) || node != nil && node.id != id {
			return fmt.Errorf("%s does not lead to inode %d", path, id)
		}
		if node == nil || node.isDir {
			continue
		}
		want := p.files[id].now
		if synced {
			want = p.files[id].synced
		}
		if !bytes.Equal(node.cache.bytes(), want) {
			return fmt.Errorf("%s holds %q, not %q", path, node.cache.bytes(), want)
		}
	}
	return nil
}
