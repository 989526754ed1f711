// Package compaction keeps the tree in shape. Deciding stands apart from doing.
//
// Deciding is pure: [Pick] and [PickRange] take a version and return a [Plan], touching no file. Doing
// takes a plan: [Run] merges its inputs into new tables, with one rule, in survival.go, for what may
// be dropped on the way. The caller turns the result into a version edit.
//
// The tree is leveled (P. O'Neil et al., "The Log-Structured Merge-Tree", 1996; LevelDB's levels), with
// sizes that follow the data from the bottom up, so that the space taken by old versions stays a
// small part of the whole (S. Dong et al., "Optimizing Space Amplification in RocksDB", CIDR 2017).
package compaction

import (
	"fmt"
	"strings"

	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/manifest"
	"github.com/tinykv/tinykv/sstable"
)

// Options shape the tree.
type Options struct {
	// L0Tables is the number of level 0 tables that calls for a compaction.
	L0Tables int

	// BaseBytes is how large the first level below 0 may grow before another is put above it.
	BaseBytes int64

	// Multiplier bounds how many times larger each level is than the one above.
	Multiplier int

	// TableBytes is the size at which an output table ends.
	TableBytes int64

	// Compression is what the tables of each level should have, see misfit.
	Compression [manifest.NumLevels]sstable.Compression

	// Settled is the sequence number up to which all readers see the same: that of the oldest
	// snapshot, or key.MaxSeqNum when there is none. At 0 nothing is compacted for the sake of space.
	Settled key.SeqNum

	// Now is a time, in Unix nanoseconds: what expires by then has expired for every reader. At 0 nothing has.
	Now int64
}

// misfit tells whether a table was written for another compression than the tables of a level should
// have. Such a table is merged into the level, by itself if need be, where it could be moved
// otherwise: it costs one more rewriting in the life of an entry, and without it a store that is
// written in ascending order, where every step down is a move, would never be compressed.
//
// What counts is what was asked for when the table was written, not what came of it: data that does
// not shrink is tried once for each compression, not again at every level.
func (o *Options) misfit(t *manifest.Table, level manifest.Level) bool {
	return o.Compression[level] != sstable.Compression(t.Compression)
}

// maxGrandparentTables bounds how many tables two levels down an output may overlap, in sizes of a
// table, so that compacting it further does not become expensive.
const maxGrandparentTables = 10

// Plan says which tables to merge, and where to.
type Plan struct {
	Start  manifest.Level
	Output manifest.Level

	// Upper are inputs from Start, Lower those from Output that they overlap. They stand in the
	// order of their level.
	Upper, Lower []*manifest.Table

	// Grandparents are the tables below Output that the inputs overlap.
	Grandparents []*manifest.Table

	// Move says that Upper may move to Output as they are.
	Move bool

	// Score is how urgent the picker found it: 1 is due; 0 if not for the size of a level.
	Score float64

	smallest, largest []byte // stored keys: bounds of the inputs, inclusive
}

// Inputs returns all input tables.
func (p *Plan) Inputs() []*manifest.Table {
	return append(append([]*manifest.Table(nil), p.Upper...), p.Lower...)
}

// InputBytes returns the size of all input tables.
func (p *Plan) InputBytes() int64 { return totalBytes(p.Upper) + totalBytes(p.Lower) }

// Edit returns the edit that replaces the inputs by the outputs, or that moves the inputs.
func (p *Plan) Edit(outputs []*manifest.Table) *manifest.Edit {
	e := &manifest.Edit{}
	for _, t := range p.Upper {
		e.Deleted = append(e.Deleted, manifest.DeletedTable{Level: p.Start, Num: t.Num})
	}
	for _, t := range p.Lower {
		e.Deleted = append(e.Deleted, manifest.DeletedTable{Level: p.Output, Num: t.Num})
	}
	if p.Move {
		outputs = p.Upper
	}
	for _, t := range outputs {
		e.Added = append(e.Added, manifest.AddedTable{Level: p.Output, Table: t})
	}
	return e
}

// String describes the plan in one line, for tests and logs.
func (p *Plan) String() string {
	var b strings.Builder
	verb := "merge"
	if p.Move {
		verb = "move"
	}
	fmt.Fprintf(&b, "%s L%d", verb, p.Start)
	for _, t := range p.Upper {
		fmt.Fprintf(&b, " %d", t.Num)
	}
	fmt.Fprintf(&b, " -> L%d", p.Output)
	for _, t := range p.Lower {
		fmt.Fprintf(&b, " %d", t.Num)
	}
	return b.String()
}

func totalBytes(tables []*manifest.Table) int64 {
	total := int64(0)
	for _, t := range tables {
		total += t.Size
	}
	return total
}
