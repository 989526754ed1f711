package simfs

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
)

// Image returns what another program finds after a crash at this moment. Under a policy that knows
// many outcomes the seed picks one. The image is independent of f, takes calls like any FS,
// and can crash in its turn; it has no faults, no hook and no locks.
func (f *FS) Image(policy Policy, seed uint64) *FS {
	fork := f.fork()
	c := newChoices(policy, fork.unsynced(), len(fork.trace))
	image, _ := fork.crash(c, seed, c.one(seed))
	return image
}

// Images returns the outcomes that a policy knows of a crash at this moment, each with a label for
// messages. At most limit of them: then the first, the last and some between, picked by the seed. With
// limit 0 or less, all of them, or where they are random ones, eight. There is always one at least.
func (f *FS) Images(policy Policy, seed uint64, limit int) iter.Seq2[Label, *FS] {
	fork := f.fork()
	c := newChoices(policy, fork.unsynced(), len(fork.trace))
	return func(yield func(Label, *FS) bool) {
		for _, number := range c.numbers(seed, limit) {
			image, label := fork.crash(c, seed, number)
			if !yield(label, image) {
				return
			}
		}
	}
}

// Unsynced returns the operations that a power cut at this moment may lose, oldest first.
func (f *FS) Unsynced() Trace {
	fork := f.fork()
	var lost Trace
	for _, op := range fork.unsynced() {
		lost = append(lost, fork.trace[op.index-1])
	}
	return lost
}

// Label names one of the images of a policy.
type Label struct {
	Number int    // from 0, in the order of the policy; the same whatever the limit
	Text   string // what is left or lost, by the indices of the operations
}

// String returns number and text.
func (l Label) String() string { return fmt.Sprintf("image %d: %s", l.Number, l.Text) }

// fork returns an independent copy in the same state: what the death of the process leaves.
func (f *FS) fork() *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	copies := make(map[*inode]*inode, len(f.live))
	copyOf := func(n *inode) *inode {
		if n == nil {
			return nil
		}
		if copies[n] == nil {
			copies[n] = n.fork()
		}
		return copies[n]
	}
	fork := &FS{
		boot: f.boot, nextID: f.nextID, trace: slices.Clip(f.trace),
		live: make(tree, len(f.live)), disk: make(tree, len(f.disk)),
		names: slices.Clone(f.names), parted: maps.Clone(f.parted),
	}
	for path, node := range f.live {
		fork.live[path] = copyOf(node)
	}
	for path, node := range f.disk {
		fork.disk[path] = copyOf(node)
	}
	for i := range fork.names {
		op := &fork.names[i]
		op.node, op.replaced = copyOf(op.node), copyOf(op.replaced)
	}
	return fork
}

// unsynced returns the operations that a power cut may lose, oldest first, of all files that a name
// may lead to after it. Nobody else may use f.
func (f *FS) unsynced() []unsynced {
	var ops []unsynced
	seen := map[*inode]bool{}
	visit := func(node *inode) {
		if seen[node] {
			return
		}
		seen[node] = true
		for i := range node.pending {
			data := &node.pending[i]
			ops = append(ops, unsynced{index: data.index, node: node, data: data})
		}
	}
	for _, node := range f.disk {
		visit(node)
	}
	for i := range f.names {
		op := &f.names[i]
		ops = append(ops, unsynced{index: op.index, name: op})
		visit(op.node)
	}
	// No two of them have the same index, so that the order of the map does not show.
	slices.SortFunc(ops, func(a, b unsynced) int { return cmp.Compare(a.index, b.index) })
	return ops
}

// crash returns one image of a fork, which it does not change.
func (f *FS) crash(c choices, seed uint64, number int) (*FS, Label) {
	if c.policy == KillProcess {
		return f.fork(), Label{Text: "the process died"}
	}
	if c.policy == KillInWrite {
		return f.killInWrite(c, seed, number)
	}
	fates, label := c.fates(seed, number)
	names := maps.Clone(f.disk)
	for i, op := range c.ops {
		if op.name != nil && fates[i].whole {
			op.name.apply(names)
		}
	}
	image := &FS{boot: f.boot + 1, nextID: f.nextID, live: names, disk: make(tree, len(names))}
	contents := survivors(c.ops, fates)
	for path, node := range names {
		disk, ok := contents[node]
		if !ok {
			disk = node.disk.clone()
		}
		booted := node.booted(disk)
		booted.name = path
		image.live[path], image.disk[path] = booted, booted // live is names: no path is new to it
	}
	return image, label
}

// killInWrite returns an image in which the newest operation was done in part.
func (f *FS) killInWrite(c choices, seed uint64, number int) (*FS, Label) {
	image := f.fork()
	label := Label{Number: number, Text: "the process died"}
	if c.torn < 0 {
		return image, label
	}
	op := c.ops[c.torn]
	label.Text = fmt.Sprintf("the process died in operation %d, after %d of %d bytes", op.index, number, op.data.n)
	if int64(number) >= op.data.n {
		label.Text = fmt.Sprintf("the process died in operation %d, which had stored an end or some words", op.index)
	}
	for _, node := range image.live {
		if node.id == op.node.id {
			node.redoLast(op.data.begun(int64(number), newRand(seed, number)))
		}
	}
	return image, label
}

// survivors returns what the disk holds of the files that have unsynced operations.
func survivors(ops []unsynced, fates []fate) map[*inode]content {
	partly := map[*inode]bool{}
	for i, op := range ops {
		if op.data != nil {
			partly[op.node] = partly[op.node] || !fates[i].whole
		}
	}
	contents := make(map[*inode]content, len(partly))
	for node, partly := range partly {
		if partly {
			contents[node] = node.disk.clone()
		} else {
			contents[node] = node.kept() // shares memory, which the operations one by one would not
		}
	}
	for i, op := range ops {
		if op.data == nil || !partly[op.node] {
			continue
		}
		disk := contents[op.node]
		if fates[i].whole {
			op.data.apply(&disk)
		}
		for j := range fates[i].parts {
			fates[i].parts[j].apply(&disk)
		}
		contents[op.node] = disk
	}
	return contents
}
